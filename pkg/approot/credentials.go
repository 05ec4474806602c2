package approot

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/raket/raket/pkg/appcredential"
	"github.com/raket/raket/pkg/stageabi"
)

// CredentialsDir is where, in a pod's directory, its stage1 mounts the credentials of
// all apps: empty to everybody outside.
const CredentialsDir = "credentials"

// NewCredentials returns a directory with one for each app of the map, and in that a
// file for each of its credentials. It is mounted nowhere, and in memory that is never
// swapped out: when the last descriptor and mount of it are gone, so is what was in it.
func NewCredentials(apps map[string][]appcredential.Credential) (dir *os.File, err error) {
	fs, err := unix.Fsopen("ramfs", unix.FSOPEN_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("make a file system for credentials: %w", err)
	}
	defer func() { err = errors.Join(err, unix.Close(fs)) }()
	err = unix.FsconfigSetString(fs, "mode", "711")
	if err == nil {
		err = unix.FsconfigCreate(fs)
	}
	if err != nil {
		return nil, fmt.Errorf("make a file system for credentials: %w", err)
	}
	fd, err := unix.Fsmount(fs, unix.FSMOUNT_CLOEXEC, unix.MOUNT_ATTR_NOSUID|unix.MOUNT_ATTR_NODEV|unix.MOUNT_ATTR_NOEXEC)
	if err != nil {
		return nil, fmt.Errorf("make a file system for credentials: %w", err)
	}
	dir = os.NewFile(uintptr(fd), CredentialsDir)
	for app, credentials := range apps {
		if err := writeCredentials(fd, app, credentials); err != nil {
			return nil, errors.Join(fmt.Errorf("app %s: %w", app, err), dir.Close())
		}
	}
	return dir, nil
}

func writeCredentials(root int, app string, credentials []appcredential.Credential) (err error) {
	if err := unix.Mkdirat(root, app, 0o500); err != nil {
		return err
	}
	dir, err := unix.Openat(root, app, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, unix.Close(dir)) }()
	for _, c := range credentials {
		fd, err := unix.Openat(dir, c.ID, unix.O_CREAT|unix.O_EXCL|unix.O_WRONLY|unix.O_CLOEXEC, 0o400)
		if err != nil {
			return fmt.Errorf("write credential %s: %w", c.ID, err)
		}
		f := os.NewFile(uintptr(fd), c.ID)
		_, err = f.Write(c.Value)
		if err = errors.Join(err, f.Close()); err != nil {
			return fmt.Errorf("write credential %s: %w", c.ID, err)
		}
	}
	return nil
}

// KeepCredentials keeps the credentials that stage0 passed on from programs that a stage1 executes
// before it has attached them.
func KeepCredentials() error {
	fd, err := credentialsFD()
	if err != nil || fd < 0 {
		return err
	}
	_, err = unix.FcntlInt(uintptr(fd), unix.F_SETFD, unix.FD_CLOEXEC)
	return err
}

// credentialsFD is the descriptor that stage0 passed on; -1 if there is none.
func credentialsFD() (int, error) {
	text := os.Getenv(stageabi.EnvCredentialsFD)
	if text == "" {
		return -1, nil
	}
	fd, err := strconv.Atoi(text)
	if err != nil || fd < 3 {
		return -1, fmt.Errorf("%s: %q is not a descriptor", stageabi.EnvCredentialsFD, text)
	}
	return fd, nil
}

// AttachCredentials mounts, in this thread's mount namespace, which no other process
// must be in, what NewCredentials made and stage0 passed on: read-only, in the pod's
// directory dir, from where ForApp takes it. Each app's becomes its user's, as chown(2)
// numbers users. The descriptor is closed. Where there is none, there is nothing to do.
func AttachCredentials(dir string, owner func(app string) (uid, gid int)) (err error) {
	fd, err := credentialsFD()
	if err != nil || fd < 0 {
		return err
	}
	root := os.NewFile(uintptr(fd), CredentialsDir)
	defer func() { err = errors.Join(err, root.Close()) }()
	target := filepath.Join(dir, CredentialsDir)
	if err := os.Mkdir(target, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	if err := unix.MoveMount(fd, "", unix.AT_FDCWD, target, unix.MOVE_MOUNT_F_EMPTY_PATH); err != nil {
		return fmt.Errorf("mount the apps' credentials: %w", err)
	}
	apps, err := os.ReadDir(target)
	if err != nil {
		return err
	}
	for _, app := range apps {
		uid, gid := owner(app.Name())
		err := filepath.WalkDir(filepath.Join(target, app.Name()), func(path string, _ fs.DirEntry, err error) error {
			return errors.Join(err, os.Lchown(path, uid, gid))
		})
		if err != nil {
			return fmt.Errorf("give app %s its credentials: %w", app.Name(), err)
		}
	}
	if err := unix.MountSetattr(unix.AT_FDCWD, target, 0, &unix.MountAttr{Attr_set: unix.MOUNT_ATTR_RDONLY}); err != nil {
		return fmt.Errorf("make the apps' credentials read-only: %w", err)
	}
	return nil
}

// credentialsBind is an app's credentials in its root.
func credentialsBind(dir, app string) Bind {
	return Bind{Source: filepath.Join(dir, CredentialsDir, app), Target: stageabi.CredentialsPath, ReadOnly: true}
}
