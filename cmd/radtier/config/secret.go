package config

import "regexp"

// Secret is a value that prints as asterisks. Reveal gives it out.
type Secret string

const redacted = "********"

// String hides the secret from logs and errors.
func (s Secret) String() string {
	if s == "" {
		return ""
	}
	return redacted
}

// GoString hides the secret from %#v.
func (s Secret) GoString() string { return s.String() }

// MarshalText hides the secret from JSON and YAML.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// Reveal returns the secret itself, for whoever must present it.
func (s Secret) Reveal() string { return string(s) }

var (
	plainDSN    = regexp.MustCompile(`^postgres(ql)?://([^/@:?#]*(:[^/?#]*)?@)?[^/@?#]*(/[^@?#]*)?(\?[^@#]*)?$`)
	urlPassword = regexp.MustCompile(`^(postgres(?:ql)?://[^/@:?#]*:)[^?#]*@`)
	urlSetting  = regexp.MustCompile(`(?i)(password=)[^&]*`)
	pairSetting = regexp.MustCompile(`(?is)(password\s*=\s*)('(?:[^'\\]|\\.)*'?|(?:\\.|[^\s\\])+)`)
	pairsDSN    = regexp.MustCompile(`^\s*\w+\s*=`)
)

// starred is a DSN with its passwords as asterisks. One that is not understood is nothing but asterisks.
func starred(dsn string) string {
	switch {
	case plainDSN.MatchString(dsn):
		return urlSetting.ReplaceAllString(urlPassword.ReplaceAllString(dsn, "${1}"+redacted+"@"), "${1}"+redacted)
	case pairsDSN.MatchString(dsn):
		return pairSetting.ReplaceAllString(dsn, "${1}"+redacted)
	}
	return Secret(dsn).String()
}
