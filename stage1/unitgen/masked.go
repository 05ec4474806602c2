package unitgen

import "github.com/raket/raket/pkg/unitfile"

// maskKernel has systemd hide, in a root that it makes, what exec hides in others and no
// directive about the kernel does; as far as this kernel has it, and in the app's root
// (systemd.exec(5), the prefixes "-" and "+").
func maskKernel(f *unitfile.File) {
	f.Paths("InaccessiblePaths", "-+/proc/acpi", "-+/proc/asound", "-+/proc/kcore", "-+/proc/keys", "-+/proc/latency_stats", "-+/proc/sched_debug",
		"-+/proc/scsi", "-+/proc/timer_list", "-+/proc/timer_stats", "-+/sys/devices/virtual/powercap", "-+/sys/firmware")
}
