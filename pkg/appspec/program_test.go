package appspec_test

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/raket/raket/pkg/appspec"
)

// memory is a file.
type memory struct{ *bytes.Reader }

func (memory) Close() error { return nil }

// rootOf is a root of files, all of which may be executed.
func rootOf(files map[string]string) appspec.Root {
	return appspec.Root{
		Executable: func(p string) bool { _, ok := files[p]; return ok },
		Open: func(p string) (appspec.File, error) {
			return memory{bytes.NewReader([]byte(files[p]))}, nil
		},
		OtherFormats: func() bool { return false },
	}
}

// elf64 is the head of a 64-bit program, with one program header, and its loader's name at the end.
func elf64(loader string) string {
	b := make([]byte, 64+56)
	copy(b, "\x7fELF\x02\x01\x01")
	b[32], b[54], b[56] = 64, 56, 1
	p := b[64:]
	p[0], p[8], p[32] = 3, 64+56, byte(len(loader)+1)
	return string(b) + loader + "\x00"
}

// elf32 is the same with 32 bits, and big-endian.
func elf32(loader string) string {
	b := make([]byte, 52+32)
	copy(b, "\x7fELF\x01\x02\x01")
	b[31], b[43], b[45] = 52, 32, 1
	p := b[52:]
	p[3], p[7], p[19] = 3, 52+32, byte(len(loader)+1)
	return string(b) + loader + "\x00"
}

func TestWhatTheKernelCannotExecuteIsSaid(t *testing.T) {
	static := "\x7fELF\x02\x01\x01" + strings.Repeat("\x00", 100)
	for name, tt := range map[string]struct {
		files map[string]string
		want  string
	}{
		"a static program":                             {map[string]string{"/x": static}, ""},
		"a script":                                     {map[string]string{"/x": "#!/sh\n", "/sh": static}, ""},
		"a script with an argument and blanks":         {map[string]string{"/x": "#! \t/sh\t-e x\n", "/sh": static}, ""},
		"a script of one line":                         {map[string]string{"/x": "#!/sh", "/sh": static}, ""},
		"a script of a script":                         {map[string]string{"/x": "#!/y\n", "/y": "#!/sh\n", "/sh": static}, ""},
		"a script whose shell is missing":              {map[string]string{"/x": "#!/bin/bash\n"}, `exec "/x" needs the interpreter "/bin/bash", which is not found in image, or not executable`},
		"a script of Windows":                          {map[string]string{"/x": "#!/sh\r\n", "/sh": static}, `exec "/x" needs the interpreter "/sh\r", which is not found in image, or not executable`},
		"a script whose shell's shell is missing":      {map[string]string{"/x": "#!/y\n", "/y": "#!/sh\n"}, `exec "/y" needs the interpreter "/sh", which is not found in image, or not executable`},
		"a script without a first line":                {map[string]string{"/x": "echo hello\n"}, `exec "/x" is neither a program nor a script that begins with #!`},
		"a script that names nothing":                  {map[string]string{"/x": "#! \n"}, `exec "/x" is neither a program nor a script that begins with #!`},
		"a script that names itself is the kernel's":   {map[string]string{"/x": "#!/x\n"}, ""},
		"an empty file":                                {map[string]string{"/x": ""}, `exec "/x" is neither a program nor a script that begins with #!`},
		"a dynamic program":                            {map[string]string{"/x": elf64("/ld"), "/ld": static}, ""},
		"a dynamic program whose loader is missing":    {map[string]string{"/x": elf64("/ld")}, `exec "/x" needs the interpreter "/ld", which is not found in image, or not executable`},
		"one of 32 bits, big-endian":                   {map[string]string{"/x": elf32("/ld")}, `exec "/x" needs the interpreter "/ld", which is not found in image, or not executable`},
		"a script of a dynamic program without loader": {map[string]string{"/x": "#!/sh\n", "/sh": elf64("/ld")}, `exec "/sh" needs the interpreter "/ld", which is not found in image, or not executable`},
		"a broken program is the kernel's":             {map[string]string{"/x": elf64("/ld")[:80]}, ""},
		"the magic number alone":                       {map[string]string{"/x": "\x7fELF"}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			a := appspec.New()
			a.Cmd = []string{"/x"}
			_, err := a.Resolve(rootOf(tt.files))
			if got := text(err); got != tt.want {
				t.Errorf("error %q, want %q", got, tt.want)
			}
			var broken *appspec.NotRunnableError
			if err != nil && !errors.As(err, &broken) {
				t.Errorf("error of type %T", err)
			}
		})
	}
	t.Run("an image's format is executed where the kernel knows more of them", func(t *testing.T) {
		r := rootOf(map[string]string{"/x": "MZ"})
		r.OtherFormats = func() bool { return true }
		a := appspec.New()
		a.Cmd = []string{"/x"}
		if _, err := a.Resolve(r); err != nil {
			t.Error(err)
		}
	})
	t.Run("a real program has the loader that the kernel says", func(t *testing.T) {
		f, err := os.ReadFile("/bin/sh")
		if err != nil {
			t.Skipf("needs /bin/sh: %v", err)
		}
		a := appspec.New()
		a.Cmd = []string{"/x"}
		_, err = a.Resolve(rootOf(map[string]string{"/x": string(f)}))
		var broken *appspec.NotRunnableError
		if !errors.As(err, &broken) {
			t.Skipf("/bin/sh has no loader: %v", err)
		}
		if _, err := os.Stat(broken.Interpreter); err != nil {
			t.Error(err)
		}
	})
}

func text(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

func TestWorkingDirectories(t *testing.T) {
	for name, tt := range map[string]struct {
		dir  string
		is   error
		want string
	}{
		"one that is there":             {"/srv", nil, ""},
		"one that is asked for in vain": {"/none", fs.ErrNotExist, `working directory "/none" not found in image`},
		"a file":                        {"/file", syscall.ENOTDIR, `working directory "/file": not a directory`},
		"the image's is made":           {"", fs.ErrNotExist, ""},
		"the image's that is a file":    {"", syscall.ENOTDIR, `working directory "/": not a directory`},
	} {
		t.Run(name, func(t *testing.T) {
			a := appspec.New()
			if err := a.Apply(appspec.Override{Exec: []string{"/x"}, WorkingDir: tt.dir}); err != nil {
				t.Fatal(err)
			}
			_, err := a.Resolve(appspec.Root{Directory: func(string) error { return tt.is }})
			if got := text(err); got != tt.want {
				t.Errorf("error %q, want %q", got, tt.want)
			}
		})
	}
}

// FuzzProgram holds the reader of programs to ending with an error or without, whatever the file.
func FuzzProgram(f *testing.F) {
	f.Add(elf64("/ld"))
	f.Add(elf32("/ld"))
	f.Add("#! /bin/sh -e\n")
	f.Fuzz(func(t *testing.T, program string) {
		a := appspec.New()
		a.Cmd = []string{"/x"}
		_, err := a.Resolve(rootOf(map[string]string{"/x": program}))
		var broken *appspec.NotRunnableError
		if err != nil && !errors.As(err, &broken) {
			t.Errorf("%q: %v", program, err)
		}
	})
}
