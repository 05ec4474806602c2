package appargs

import (
	"errors"
	"fmt"

	"github.com/raket/raket/pkg/appcredential"
)

// credentialFlags hand an app secrets, in files and in its environment.
func credentialFlags() []flag {
	f := func(name, arg, usage string, set func(*App, string) error) flag {
		return flag{Flag: Flag{Name: name, Arg: arg, Usage: usage, Scope: ForApp}, app: set}
	}
	env := f("environment-file", "FILE", "set the environment variables of a file", func(a *App, v string) error {
		return appendWord(&a.EnvFiles, v)
	})
	env.Files = true
	set := f("set-credential", "ID:VALUE", "give the app a credential of this value, which other users can see in ps while the pod starts", setCredential)
	set.secret = true
	return []flag{
		env,
		f("import-credential", "PATTERN", "give the app the credentials of raket's own, or of the host's stores, that fit a pattern", func(a *App, v string) error {
			return appendParsed(&a.Credentials, appcredential.ParseImport, v)
		}),
		f("load-credential", "ID[:PATH|NAME|-]", "give the app a credential: a file or directory of the host, one of raket's own or of the host's stores (default: the one named ID), or standard input", func(a *App, v string) error {
			return appendParsed(&a.Credentials, appcredential.ParseLoad, v)
		}),
		set,
	}
}

func appendWord(into *[]string, v string) error { return appendParsed(into, parseWord, v) }

func setCredential(a *App, v string) error {
	w, value, err := appcredential.ParseSet(v)
	if err != nil {
		return err
	}
	if _, twice := a.CredentialValues[w.ID]; twice {
		return fmt.Errorf("credential %s is set twice", w.ID)
	}
	if a.CredentialValues == nil {
		a.CredentialValues = map[string][]byte{}
	}
	a.CredentialValues[w.ID] = value
	a.Credentials = append(a.Credentials, w)
	return nil
}

// checkCredentials is for what one app's flags do not show.
func (p *Pod) checkCredentials(a App) error {
	if n := p.stdinCredentials(); n > 1 {
		return fmt.Errorf("%d credentials are to be read from standard input, which has one", n)
	}
	for _, e := range a.Override.Env {
		if len(a.Credentials) > 0 && len(e) > len(credentialsVar) && e[:len(credentialsVar)] == credentialsVar {
			return errors.New("CREDENTIALS_DIRECTORY is where raket puts the app's credentials")
		}
	}
	return nil
}

const credentialsVar = "CREDENTIALS_DIRECTORY="

func (p *Pod) stdinCredentials() (n int) {
	for _, a := range p.Apps {
		for _, w := range a.Credentials {
			if w.From == appcredential.Stdin {
				n++
			}
		}
	}
	return n
}
