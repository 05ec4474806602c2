package appspec

// Loose says which protections an app goes without. The zero value is the usual: all of them.
type Loose struct {
	// Capabilities lets the app keep every capability that there is. Sets that the image or a
	// pod manifest has do not count; an Override that is applied later does.
	Capabilities bool
	// Paths leaves the kernel's files in /proc and /sys as the kernel has them: none masked,
	// none made read-only by raket.
	Paths bool
	// Seccomp drops the system call filter, the default one too.
	Seccomp bool
}

// Loosen takes protections off the app. It belongs between what the image says and what is
// said about the app: between FromOCI or SetAppc, and Apply.
func (a *App) Loosen(l Loose) {
	if l.Capabilities {
		a.CapsRetain, a.CapsRemove = knownCapabilities(), nil
	}
	if l.Paths {
		a.Spec.Linux.MaskedPaths, a.Spec.Linux.ReadonlyPaths = nil, nil
	}
	if l.Seccomp {
		a.Spec.Linux.Seccomp, a.Filter = nil, CallFilter{}
	}
}
