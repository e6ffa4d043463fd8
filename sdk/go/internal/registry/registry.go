// Package registry holds what the plugin offers, for the exports that answer the host.
package registry

// Kinds are the kinds of the plugin, of every sort.
var Kinds []any

// Find answers the first kind of that sort that `is` wants.
func Find[Kind any](is func(Kind) bool) (Kind, bool) {
	for _, one := range Kinds {
		if kind, fits := one.(Kind); fits && is(kind) {
			return kind, true
		}
	}
	var none Kind
	return none, false
}
