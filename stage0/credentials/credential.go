package credentials

// Credential is what a registry may be shown. The zero value is anonymous.
type Credential struct {
	Username string
	Password string
	// IdentityToken is an OAuth2 refresh token, RegistryToken a bearer token
	// to send as it is.
	IdentityToken string
	RegistryToken string
	// Source says where it was found, for messages: a file or a helper.
	Source string
}
