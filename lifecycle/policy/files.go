package policy

import "embed"

// Files are the policies that ship: regional.yaml and keep-and-tier.yaml.
//
//go:embed files/*.yaml
var Files embed.FS
