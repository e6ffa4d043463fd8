package shape

// refuse lets everything pass: the host has held the configuration against the schema.
func (*bounds) refuse(any, string) error { return nil }
