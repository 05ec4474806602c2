package cgroup

import (
	"errors"
	"os"
	"testing"
)

func TestDisk(t *testing.T) {
	sys := t.TempDir()
	for _, dir := range []string{"/block/sda/sda1", "/block/vda", "/dev"} {
		if err := os.MkdirAll(sys+dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for name, content := range map[string]string{"/block/sda/dev": "8:0\n", "/block/sda/sda1/partition": "1\n", "/block/sda/sda1/dev": "8:1\n"} {
		if err := os.WriteFile(sys+name, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for link, to := range map[string]string{"8:1": "sda/sda1", "8:0": "sda", "254:0": "vda"} {
		if err := os.Symlink("../block/"+to, sys+"/dev/"+link); err != nil {
			t.Fatal(err)
		}
	}
	for name, tt := range map[string]struct {
		major, minor uint32
		want         [2]uint32
		err          error
	}{
		"a disk is one":              {8, 0, [2]uint32{8, 0}, nil},
		"a partition is of its disk": {8, 1, [2]uint32{8, 0}, nil},
		"so is a disk without any":   {254, 0, [2]uint32{254, 0}, nil},
		"memory is none":             {0, 23, [2]uint32{}, ErrNoDisk},
		"a device that nobody knows": {9, 9, [2]uint32{}, os.ErrNotExist},
	} {
		t.Run(name, func(t *testing.T) {
			major, minor, err := disk(sys+"/dev", tt.major, tt.minor)
			if got := [2]uint32{major, minor}; !errors.Is(err, tt.err) || err == nil && got != tt.want {
				t.Errorf("got %v, %v; want %v, %v", got, err, tt.want, tt.err)
			}
		})
	}
}
