package config

import (
	"slices"
	"strconv"

	"go.yaml.in/yaml/v3"

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
	return r.hotClass(n)
}

// item reads one entry of a list by the table of its keys. classes is called for the key of that name, if there may be one.
func (r *reader) item(n *yaml.Node, prefix string, items []item, t *Tier, classes func(*yaml.Node) error) error {
	at := map[string]*yaml.Node{}
	err := r.each(n, prefix, func(name string, key, value *yaml.Node) error {
		short := name[len(prefix):]
		at[short] = key
		if short == "classes" && classes != nil {
			return classes(value)
		}
		it, ok := find(items, short)
		if !ok {
			return r.fail(key, name, "there is no such key%s; an entry has %s", nearestOf(short, items), names(items, ""))
		}
		text, err := r.scalar(value, name)
		if err != nil {
			return err
		}
		if err := it.set(t, text); err != nil {
			return r.fail(value, name, "%v", err)
		}
		return nil
	})
	if err != nil {
		return err
	}
	for _, it := range items { // in the order of the table, so that the same file has the same error
		if key := at[it.name]; key != nil && it.kind != "" && it.kind != t.Kind {
			return r.fail(key, prefix+it.name, "it is for kind %s only; an entry of kind %s has %s", it.kind, t.Kind, names(items, t.Kind))
		}
	}
	if t.Kind != "s3" {
		return nil
	}
	if t.S3.Bucket == "" {
		return r.fail(n, prefix+"bucket", "it is missing: name the bucket")
	}
	if (t.S3.AccessKey == "") != (t.S3.SecretKey == "") {
		return r.fail(n, prefix+"secret_key", "access_key and secret_key go together: give both, or none and set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY")
	}
	return nil
}

func nearestOf(name string, items []item) string {
	for _, it := range items {
		if distance(it.name, name) <= 2 {
			return ": do you mean " + it.name + "?"
		}
	}
	return ""
}

func (r *reader) tier(n *yaml.Node) (Tier, error) {
	t := Tier{Kind: "file"}
	var delayed *yaml.Node
	err := r.item(n, "tiers[].", tierItems(), &t, func(value *yaml.Node) (err error) {
		t.Classes, err = r.classes(value)
		delayed = value
		return err
	})
	switch {
	case err != nil:
		return t, err
	case t.Name == "":
		return t, r.fail(n, "tiers[].name", "a tier needs a name")
	case t.Kind == "file" && t.Path == "":
		return t, r.fail(n, "tiers[].path", "tier %s needs a directory", t.Name)
	case t.Class != "" && t.Classes != nil && !slices.Contains(t.Classes.Names(), t.Class):
		return t, r.fail(n, "tiers[].class", "tier %s: class %s is none of its classes", t.Name, t.Class)
	case t.Kind == "file" && t.Classes == nil:
		t.Classes = tiers.Classes{{Name: "STANDARD"}}
	case t.Kind == "s3":
		for _, c := range t.Classes {
			if c.RestoreDelay != 0 {
				return t, r.fail(delayed, "tiers[].classes[].restore_delay", "it is for kind file only: a bucket's provider decides how long a restore takes")
			}
		}
	}
	return t, nil
}

func (r *reader) sources(n *yaml.Node) error {
	if isNull(n) {
		return nil
	}
	if n.Kind != yaml.SequenceNode {
		return r.fail(n, "sources", "a list of buckets is wanted here")
	}
	seen := map[string]bool{}
	for _, entry := range n.Content {
		entry = follow(entry)
		t := Tier{Kind: "s3"}
		if err := r.item(entry, "sources[].", sourceItems(), &t, nil); err != nil {
			return err
		}
		if seen[t.S3.Bucket] {
			return r.fail(entry, "sources[].bucket", "two sources are bucket %q", t.S3.Bucket)
		}
		seen[t.S3.Bucket] = true
		r.c.Sources = append(r.c.Sources, Source{t.S3})
	}
	return nil
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

// hotClass refuses an archive class for the first tier: nothing that lies there could be read.
func (r *reader) hotClass(n *yaml.Node) error {
	if len(r.c.Tiers) == 0 {
		return nil
	}
	for _, c := range r.c.Tiers[0].Classes {
		if c.Archive && c.Name == r.c.Tiers[0].Class {
			return r.fail(n, "tiers[].class", "the first tier is where new studies go and is read all the time: its class cannot be an archive")
		}
	}
	return nil
}
