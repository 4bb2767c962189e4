package config

import (
	"strconv"

	"go.yaml.in/yaml/v3"

	"github.com/radtier/radtier/internal/catalog"
	"github.com/radtier/radtier/internal/objstore"
	"github.com/radtier/radtier/internal/objstore/tiers"
)

func defaultTiers() []Tier {
	return []Tier{{Name: "hot", Kind: "file", Path: "objects", Classes: tiers.Classes{{Name: "STANDARD"}}}}
}

func (r *reader) tiers(n *yaml.Node) error {
	if n.Kind != yaml.SequenceNode || len(n.Content) == 0 {
		return r.fail(n, "tiers", "a list of at least one tier is wanted here")
	}
	seen := map[string]bool{}
	for _, item := range n.Content {
		item = follow(item)
		t, err := r.tier(item)
		if err != nil {
			return err
		}
		if seen[t.Name] {
			return r.fail(item, "tiers[].name", "two tiers are called %q", t.Name)
		}
		seen[t.Name] = true
		r.c.Tiers = append(r.c.Tiers, t)
	}
	return nil
}

func (r *reader) tier(n *yaml.Node) (Tier, error) {
	t := Tier{Kind: "file"}
	err := r.each(n, "tiers[].", func(name string, key, value *yaml.Node) (err error) {
		switch name {
		case "tiers[].name":
			if t.Name, err = r.scalar(value, name); err == nil {
				if catalog.CheckTenant(t.Name) != nil { // the same rule
					err = r.fail(value, name, "%q is no name of a tier: 1 to 64 letters, digits and ._-", t.Name)
				}
			}
		case "tiers[].kind":
			if t.Kind, err = r.scalar(value, name); err == nil && t.Kind != "file" {
				err = r.fail(value, name, "%q is not known: use file", t.Kind)
			}
		case "tiers[].path":
			t.Path, err = r.scalar(value, name)
		case "tiers[].classes":
			t.Classes, err = r.classes(value)
		default:
			err = r.fail(key, name, "there is no such key; a tier has name, kind, path and classes")
		}
		return err
	})
	switch {
	case err != nil:
		return t, err
	case t.Name == "":
		return t, r.fail(n, "tiers[].name", "a tier needs a name")
	case t.Path == "":
		return t, r.fail(n, "tiers[].path", "tier %s needs a directory", t.Name)
	case t.Classes == nil:
		t.Classes = tiers.Classes{{Name: "STANDARD"}}
	}
	return t, nil
}

func (r *reader) classes(n *yaml.Node) (tiers.Classes, error) {
	if n.Kind != yaml.SequenceNode || len(n.Content) == 0 {
		return nil, r.fail(n, "tiers[].classes", "a list of at least one class is wanted here")
	}
	var list tiers.Classes
	for _, item := range n.Content {
		var class tiers.Class
		err := r.each(item, "tiers[].classes[].", func(name string, key, value *yaml.Node) error {
			text, err := r.scalar(value, name)
			if err != nil {
				return err
			}
			switch name {
			case "tiers[].classes[].name":
				class.Name = objstore.Class(text)
			case "tiers[].classes[].min_days":
				if class.MinDays, err = strconv.Atoi(text); err != nil {
					return r.fail(value, name, "%q is not a whole number of days", text)
				}
			case "tiers[].classes[].archive":
				if class.Archive, err = strconv.ParseBool(text); err != nil {
					return r.fail(value, name, "%q is neither true nor false", text)
				}
			case "tiers[].classes[].restore_delay":
				if class.RestoreDelay, err = ParseDuration(text); err != nil {
					return r.fail(value, name, "%v", err)
				}
			default:
				return r.fail(key, name, "there is no such key; a class has name, min_days, archive and restore_delay")
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
		if class.Name == "" {
			return nil, r.fail(item, "tiers[].classes[].name", "a class needs a name")
		}
		list = append(list, class)
	}
	if err := list.Check(); err != nil {
		return nil, r.fail(n, "tiers[].classes", "%v", err)
	}
	return list, nil
}
