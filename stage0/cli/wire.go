package cli

// realServices binds the verbs to the parts that do their work.
func realServices() services {
	return services{}
}
