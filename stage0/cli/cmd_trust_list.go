package cli

import (
	"fmt"

	"github.com/raket/raket/stage0/trust/keystore"
)

// rootPrefix stands for the root in the list. No image has such a name.
const rootPrefix = "(root)"

func (e *env) listKeys(keys trustedKeys) error {
	entries, err := keys.List()
	if err != nil {
		return err
	}
	var rows [][]string
	for _, k := range entries {
		prefix, owner, expires := k.Prefix, "", ""
		if prefix == "" {
			prefix = rootPrefix
		}
		if len(k.Key.UserIDs) > 0 {
			owner = k.Key.UserIDs[0]
		}
		if k.Key.Fingerprint != "" {
			expires = keyExpiry(k.Key)
		}
		rows = append(rows, []string{prefix, k.Fingerprint, owner, expires, string(k.Layer), e.keyState(k)})
	}
	return e.printTable([]string{"PREFIX", "FINGERPRINT", "OWNER", "EXPIRES", "LAYER", "STATE"}, rows)
}

// keyState says in a word what signatures by a key are worth, or why none are.
func (e *env) keyState(k keystore.Entry) string {
	switch {
	case k.Masked:
		return "masked"
	case k.Err != nil:
		return "unusable: " + k.Err.Error()
	case k.Key.Revoked:
		return "revoked"
	case k.Key.Refused != "":
		return "unusable: " + k.Key.Refused
	case !k.Key.Expires.IsZero() && e.now().After(k.Key.Expires):
		// What it signed before stays good.
		return "expired"
	}
	return "trusted"
}

func (e *env) removeKeys(keys trustedKeys, prefix string, args []string) error {
	for _, arg := range args {
		fpr, err := keystore.ParseFingerprint(arg)
		if err != nil {
			return &fault{err: err, hint: "raket trust --list"}
		}
		path, masked, err := keys.Remove(prefix, fpr)
		if err != nil {
			return &fault{err: err, hint: "raket trust --list"}
		}
		did := "Removed"
		if masked {
			did = "Masked"
		}
		fmt.Fprintf(e.stderr, "%s key %s for prefix %q at %q\n", did, fpr, prefix, path)
	}
	return nil
}
