package imagestore

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/raket/raket/pkg/flock"
)

// repair changes a tree by do while no pod uses it or can begin to.
func (c *checker) repair(name string, do func() error) (err error) {
	if c.store.trees.Seeded(name) {
		return fmt.Errorf("repair tree %s: %w", name, ErrReadOnly)
	}
	lock, err := c.store.lock("lock", (*flock.Lock).Exclusive)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, lock.Close()) }()
	pods, err := c.users(name)
	if err != nil {
		return err
	}
	if len(pods) > 0 {
		return fmt.Errorf("repair tree %s: %w by running pod %s", name, ErrInUse, strings.Join(pods, ", "))
	}
	if err := do(); err != nil {
		return err
	}
	c.done.Repaired = append(c.done.Repaired, name)
	return nil
}

// users are the running pods of all images that have a tree.
func (c *checker) users(name string) ([]string, error) {
	if c.opts.Running == nil {
		return nil, nil
	}
	used, err := c.opts.Running()
	if err != nil {
		return nil, fmt.Errorf("find images in use: %w", err)
	}
	all, err := c.store.load()
	if err != nil {
		return nil, err
	}
	var pods []string
	for _, img := range all {
		if len(used[img.ID]) == 0 {
			continue
		}
		names, err := c.store.stackTrees(img, byImageID(all))
		if err != nil {
			return nil, err
		}
		if slices.Contains(names, name) {
			pods = append(pods, used[img.ID]...)
		}
	}
	return pods, nil
}
