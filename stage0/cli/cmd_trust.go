package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/raket/raket/stage0/trust/openpgp"
)

// trustFlags are what raket trust was told.
type trustFlags struct {
	prefix     string
	root       bool
	skipReview bool
	allowHTTP  bool
	list       bool
	remove     bool
}

func newTrust(e *env) *cobra.Command {
	var f trustFlags
	cmd := &cobra.Command{
		Use:   "trust [KEY...]",
		Short: "Trust keys that sign images",
		Long: `Adds OpenPGP keys to those that ACIs are checked with. A KEY is a file or an https URL, and may hold several
keys. With --prefix=NAME they are trusted for the image NAME and all below it: example.com/app for
example.com/app/db, not for example.com/apples. With --root they are trusted for images of every name.

Without a KEY the keys are discovered: the page https://NAME, or one above it, names them in a tag
ac-discovery-pubkeys. There is no discovery for --root.

Each key is shown, and trusted when that is confirmed on the terminal. Compare the fingerprint with one that you
have from elsewhere: anybody can make a key with any name in it. A key that is trusted for the prefix already is
brought up to date without a question, so that revocations and new expiry dates can be added.

  --list      prints the keys, what each is trusted for, and the layer of configuration it is in
  --remove    ends the trust in the keys whose fingerprints are given, for --prefix or --root; keys of the vendor
              are masked by an empty file

Keys are kept in the directory trustedkeys of the local configuration.`,
		Example: `raket trust --prefix=example.com/app
raket trust --prefix=example.com ./release-key.asc
raket trust --root https://example.com/keys.asc
raket trust --list
raket trust --remove --prefix=example.com 8B86DE38890DDB7291867B025210BD8888182190`,
		Annotations: exits(exitOK, exitError),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := f.check(cmd, args); err != nil {
				return err
			}
			keys, err := service(e, e.services.trusted)
			if err != nil {
				return err
			}
			switch {
			case f.list:
				return e.listKeys(keys)
			case f.remove:
				return e.removeKeys(keys, f.prefix, args)
			}
			web, err := service(e, e.services.web)
			if err != nil {
				return err
			}
			t := truster{env: e, trustFlags: f, keys: keys, web: web, answers: bufio.NewReader(e.stdin)}
			return t.run(cmd.Context(), args)
		},
	}
	fs := cmd.Flags()
	fs.StringVar(&f.prefix, "prefix", "", "trust the keys for the image `NAME` and all below it")
	fs.BoolVar(&f.root, "root", false, "trust the keys for images of every name")
	fs.BoolVar(&f.skipReview, "skip-fingerprint-review", false, "trust the keys without asking")
	fs.BoolVar(&f.allowHTTP, "insecure-allow-http", false, "allow plain HTTP, where anybody on the way may change a key")
	fs.BoolVar(&f.list, "list", false, "print the keys that are trusted")
	fs.BoolVar(&f.remove, "remove", false, "end the trust in keys, by their fingerprints")
	mustCompleteFlag(cmd, "prefix")
	return cmd
}

// check refuses what makes no sense together.
func (f *trustFlags) check(cmd *cobra.Command, args []string) error {
	switch scoped := f.prefix != "" || f.root; {
	case f.prefix != "" && f.root:
		return usageError(cmd, "--root and --prefix can't be given together")
	case f.list && (f.remove || scoped || f.skipReview || f.allowHTTP || len(args) > 0):
		return usageError(cmd, "--list stands alone")
	case f.list:
		return nil
	case !scoped:
		return usageError(cmd, "--prefix=NAME is missing, or --root for images of every name")
	case strings.Contains(f.prefix, "://"):
		return usageError(cmd, "--prefix is an image name, not a URL: leave out %q", f.prefix[:strings.Index(f.prefix, "://")+len("://")])
	case f.remove && len(args) == 0:
		return usageError(cmd, "the fingerprint is missing")
	case f.root && len(args) == 0:
		return usageError(cmd, "KEY is missing: keys for images of every name are not discovered")
	}
	return nil
}

// truster adds keys.
type truster struct {
	*env
	trustFlags
	keys    trustedKeys
	web     keyWeb
	answers *bufio.Reader
}

func (t *truster) run(ctx context.Context, places []string) error {
	if len(places) == 0 {
		found, err := t.web.Discover(ctx, t.prefix, t.allowHTTP)
		if err != nil {
			return err
		}
		places = found
	}
	for _, place := range places {
		raw, err := t.get(ctx, place)
		if err != nil {
			return err
		}
		ring, err := openpgp.ReadKeys(raw)
		if err != nil {
			return fmt.Errorf("key %q: %w", place, err)
		}
		for _, key := range ring.Keys() {
			if err := t.trust(ctx, place, ring, key); err != nil {
				return fmt.Errorf("key %q: %w", place, err)
			}
		}
	}
	return nil
}

// get reads a file or fetches a URL.
func (t *truster) get(ctx context.Context, place string) ([]byte, error) {
	if strings.Contains(place, "://") {
		return t.web.FetchKey(ctx, place, t.allowHTTP)
	}
	f, err := os.Open(place)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	raw, err := io.ReadAll(io.LimitReader(f, openpgp.MaxKeysBytes+1))
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", place, err)
	}
	return raw, nil
}

// trust shows a key, asks, and adds it. The lines are rkt's.
func (t *truster) trust(ctx context.Context, place string, ring openpgp.Keyring, key openpgp.Key) error {
	known := t.keys.Has(t.prefix, key.Fingerprint)
	t.say("prefix: %q\nkey: %q", t.prefix, place)
	for line := range strings.Lines(keyText(key)) {
		t.say("%s", strings.TrimSuffix(line, "\n"))
	}
	if key.Refused != "" && !(key.Revoked && known) {
		// The keystore refuses it too; nobody is asked in vain.
		return fmt.Errorf("key %s: %s", key.Fingerprint, key.Refused)
	}
	// What a site says of its keys does not overrule who has masked one.
	fromSite := t.trustKeys && strings.HasPrefix(place, "https://") && !t.keys.Masked(t.prefix, key.Fingerprint)
	unasked := t.skipReview || fromSite
	switch {
	case known:
		t.say("The key is trusted already, and is brought up to date.")
	case unasked:
		t.say("Trusting %q for prefix %q without fingerprint review.", place, t.prefix)
	default:
		yes, err := t.ask(ctx)
		if err != nil {
			return err
		}
		if !yes {
			t.say("Not trusting %q", place)
			return nil
		}
		t.say("Trusting %q for prefix %q after fingerprint review.", place, t.prefix)
	}
	raw, err := ring.Armored(key.Fingerprint)
	if err != nil {
		return err
	}
	path, _, err := t.keys.Add(t.prefix, raw)
	if err != nil {
		return err
	}
	if t.prefix == "" {
		t.say("Added root key at %q", path)
	} else {
		t.say("Added key for prefix %q at %q", t.prefix, path)
	}
	return nil
}

func (t *truster) say(format string, args ...any) { fmt.Fprintf(t.stderr, format+"\n", args...) }

// ask asks until the answer is yes or no, or there is none.
func (t *truster) ask(ctx context.Context) (bool, error) {
	if f, ok := t.stdin.(*os.File); !ok || !term.IsTerminal(int(f.Fd())) {
		return false, &fault{
			err:  errors.New("nobody can be asked whether it is to be trusted: standard input is no terminal"),
			hint: "compare the fingerprint, then: raket trust --skip-fingerprint-review",
		}
	}
	type answer struct {
		text string
		err  error
	}
	for {
		fmt.Fprint(t.stderr, "Are you sure you want to trust this key (yes/no)? ")
		// An interrupt ends the wait, though not the read.
		got := make(chan answer, 1)
		go func() {
			text, err := t.answers.ReadString('\n')
			got <- answer{text, err}
		}()
		select {
		case <-ctx.Done():
			fmt.Fprintln(t.stderr)
			return false, ctx.Err()
		case a := <-got:
			switch text := strings.TrimSpace(a.text); {
			case text == "yes" || text == "no":
				return text == "yes", nil
			case a.err != nil:
				return false, fmt.Errorf("read the answer: %w", a.err)
			}
			t.say("Please enter 'yes' or 'no'")
		}
	}
}

// maxShownUserIDs keeps a key from hiding its fingerprint above many names.
const maxShownUserIDs = 8

// keyText is what there is to review.
func keyText(k openpgp.Key) string {
	var b strings.Builder
	fmt.Fprintf(&b, "gpg key fingerprint is: %s\n", groups(k.Fingerprint))
	kind := k.Algorithm
	if k.Bits > 0 {
		kind += fmt.Sprintf(" %d bits", k.Bits)
	}
	fmt.Fprintf(&b, "    %s, created %s, expires %s\n", kind, k.Created.Format(time.DateOnly), keyExpiry(k))
	for i, s := range k.Subkeys {
		if i == maxShownUserIDs {
			fmt.Fprintf(&b, "    and %d more\n", len(k.Subkeys)-i)
			break
		}
		fmt.Fprintf(&b, "    subkey fingerprint: %s\n", groups(s.Fingerprint))
	}
	for i, id := range k.UserIDs {
		if i == maxShownUserIDs {
			fmt.Fprintf(&b, "\tand %d more\n", len(k.UserIDs)-i)
			break
		}
		fmt.Fprintf(&b, "\t%s\n", id)
	}
	return b.String()
}

// groups writes a fingerprint as gpg does, in groups of four with a gap in the
// middle.
func groups(fpr string) string {
	const group = 4
	var b strings.Builder
	for i, r := range fpr {
		if i > 0 && i%group == 0 {
			b.WriteByte(' ')
			if i == len(fpr)/2 {
				b.WriteByte(' ')
			}
		}
		b.WriteRune(r)
	}
	return b.String()
}

func keyExpiry(k openpgp.Key) string {
	if k.Expires.IsZero() {
		return "never"
	}
	return k.Expires.Format(time.DateOnly)
}
