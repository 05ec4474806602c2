package appargs

import (
	"maps"
	"reflect"
	"slices"

	"github.com/raket/raket/pkg/appspec"
	"github.com/raket/raket/pkg/podmanifest"
)

// Over is an app of which base was said before and a now: what a says holds, and what base
// says of anything else. Lists of a replace those of base, but for variables, annotations, properties,
// resource limits, parts of a label and mounts, each of which replaces its like.
func (a App) Over(base App) App {
	o, b := a.Override, base.Override
	// Two ways to say one thing.
	if o.CapsRetain != nil || o.CapsRemove != nil {
		b.CapsRetain, b.CapsRemove = nil, nil
	}
	if o.Seccomp != nil || o.Filter != nil || a.SeccompProfile != "" {
		b.Seccomp, b.Filter = nil, nil
	}
	if o.Exec != nil && o.Args == nil {
		b.Args = nil // they were for another program
	}
	switch {
	case o.Health.Off:
		b.Health = appspec.HealthOverride{}
	case o.Health.Cmd != "":
		b.Health.Off = false
	}
	merged := b
	overlay(reflect.ValueOf(&merged).Elem(), reflect.ValueOf(o))
	merged.Env = append(slices.Clone(b.Env), o.Env...)
	merged.Rlimits = append(slices.Clone(b.Rlimits), o.Rlimits...)
	merged.Annotations = map[string]string{}
	for _, m := range []map[string]string{b.Annotations, o.Annotations} {
		for k, v := range m {
			merged.Annotations[k] = v
		}
	}
	given := func(p appspec.Property) bool {
		return slices.ContainsFunc(o.Properties, func(n appspec.Property) bool { return n.Name == p.Name })
	}
	merged.Properties = append(slices.DeleteFunc(slices.Clone(b.Properties), given), o.Properties...)

	result := base
	overlay(reflect.ValueOf(&result).Elem(), reflect.ValueOf(a))
	result.Override = merged
	result.Signature = a.Signature // the other image's is no more
	result.Security.Label = maps.Clone(base.Security.Label)
	for part, v := range a.Security.Label {
		if result.Security.Label == nil {
			result.Security.Label = map[string]string{}
		}
		result.Security.Label[part] = v
	}
	replaced := func(m podmanifest.MountFlag) bool {
		return slices.ContainsFunc(a.Mounts, func(n podmanifest.MountFlag) bool { return n.Target == m.Target })
	}
	result.Mounts = append(slices.DeleteFunc(slices.Clone(base.Mounts), replaced), a.Mounts...)
	return result
}

// overlay sets each field that is set in from.
func overlay(into, from reflect.Value) {
	for i := range from.NumField() {
		switch f := from.Field(i); {
		case f.Kind() == reflect.Struct:
			overlay(into.Field(i), f)
		case f.Kind() == reflect.Slice && !f.IsNil(), !f.IsZero():
			into.Field(i).Set(f)
		}
	}
}
