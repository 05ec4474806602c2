package cli

import (
	"errors"

	"github.com/raket/raket/stage0/cli/appargs"
)

// Words of podman's and Docker's that raket has others for, with what to type.
var otherVerbs = map[string]string{
	"build":   "raket runs what other tools build: raket fetch takes registries, layouts and archives",
	"commit":  "raket runs what other tools build: raket fetch takes registries, layouts and archives",
	"create":  "raket prepare",
	"events":  "journalctl -u UNIT",
	"images":  "raket image list",
	"inspect": "raket status --format=json-pretty UUID, raket app spec UUID APP or raket image cat-manifest IMAGE",
	"kill":    "raket app kill UUID APP",
	"load":    "raket image import FILE",
	"play":    "raket run --pod-manifest=FILE",
	"pod":     "every pod is one: raket run IMAGE IMAGE",
	"port":    "raket status UUID",
	"ps":      "raket list",
	"pull":    "raket fetch IMAGE",
	"push":    "raket image export IMAGE FILE, and a registry's own tool",
	"restart": "systemctl restart UNIT, or raket app restart UUID APP",
	"rmi":     "raket image rm IMAGE",
	"save":    "raket image export IMAGE FILE",
	"start":   "systemctl start UNIT, or raket run-prepared UUID",
	"top":     "systemd-cgtop, or raket exec UUID ps",
	"volume":  "volumes are directories: raket run --volume=NAME,kind=host,source=DIR",
	"wait":    "raket status --wait UUID",
}

// otherFlags are those of podman run and docker run.
var otherFlags = map[string]string{
	"--cap-add":    "--caps-retain=CAP,… after the image has the whole set",
	"--cap-drop":   "--caps-remove=CAP,… after the image",
	"--cpus":       "--cpu=NUMBER",
	"-d":           "a pod is a child of whoever starts it: systemd-run raket run …, or a unit with Type=notify",
	"--detach":     "a pod is a child of whoever starts it: systemd-run raket run …, or a unit with Type=notify",
	"-e":           "--environment=NAME=VALUE after the image",
	"--env":        "--environment=NAME=VALUE after the image",
	"--entrypoint": "--exec=PROGRAM after the image",
	"--env-file":   "--environment-file=FILE after the image",
	"--network":    "--net=NAME,…",
	"--pids-limit": "--pids=NUMBER",
	"--privileged": "--insecure-options=all-run before the verb",
	"--pull":       "--pull-policy=never|new|update",
	"--read-only":  "--readonly-rootfs=true after the image",
	"--rm":         "ended pods go by raket gc, or raket-gc.timer",
	"--tmpfs":      "--volume=NAME,kind=empty and --mount=volume=NAME,target=DIR",
	"-v":           "--volume=NAME,kind=host,source=DIR and --mount=volume=NAME,target=DIR",
	"-w":           "--working-dir=DIR after the image",
	"--workdir":    "--working-dir=DIR after the image",
}

// otherFlag is what to say of an error about a flag of theirs, nil for others.
func otherFlag(err error) error {
	var unknown *appargs.UnknownFlagError
	if !errors.As(err, &unknown) {
		return nil
	}
	flag := unknown.Flag
	if len(flag) > 2 && flag[1] != '-' {
		flag = flag[:2] // -vSOURCE:TARGET
	}
	if hint, ok := otherFlags[flag]; ok {
		return &fault{err: err, hint: hint}
	}
	return nil
}
