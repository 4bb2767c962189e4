package config

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/radtier/radtier/worker"
)

// codecKeys documents the keys of one entry of `worker.codec`.
func codecKeys() []Key {
	return []Key{
		{Name: "worker.codec[].modality", Doc: "Rule which codec native frames are stored with; the first one that holds for an instance decides, without one it is " + string(worker.Codecs()[0]) + ". It holds for these modalities, a list or separated by commas; empty: any."},
		{Name: "worker.codec[].class", Doc: "And for these SOP Class UIDs, likewise; empty: any."},
		{Name: "worker.codec[].use", Doc: codecDoc},
	}
}

const codecDoc = "htj2k (1.2.840.10008.1.2.4.202: in resolution levels, so that a part of it shows the whole image) or jpegls (1.2.840.10008.1.2.4.80: mostly smaller)."

// codecExample stands for the default of `worker.codec`.
func codecExample() string {
	return "  # Which codec native frames are stored with: rules, of which the first one that holds for an instance decides.\n" +
		"  # Without one it is " + string(worker.Codecs()[0]) + ". A rule has\n" +
		"  #   modality  it holds for these modalities, a list or separated by commas; empty: any\n" +
		"  #   class     and for these SOP Class UIDs, likewise\n" +
		"  #   use       " + codecDoc + "\n" +
		"  # like - {modality: [CR, MG], use: jpegls}\n" +
		"  codec: []\n"
}

// CodecValues are the effective keys of rule i of `worker.codec`.
func (w Worker) CodecValues(i int) []ItemValue {
	r := w.Codec[i]
	var list []ItemValue
	if len(r.Modalities) > 0 {
		list = append(list, ItemValue{"modality", strings.Join(r.Modalities, ",")})
	}
	if len(r.Classes) > 0 {
		list = append(list, ItemValue{"class", strings.Join(r.Classes, ",")})
	}
	return append(list, ItemValue{"use", string(r.Use)})
}

var (
	modality = regexp.MustCompile(`^[A-Z0-9_ ]{1,16}$`)  // VR CS, PS3.5 6.2
	class    = regexp.MustCompile(`^[0-9]+(\.[0-9]+)+$`) // VR UI
)

// codecRules reads `worker.codec`.
func (r *reader) codecRules(n *yaml.Node) error {
	const name = "worker.codec"
	if isNull(n) {
		return nil
	}
	if n.Kind != yaml.SequenceNode {
		return r.fail(n, name, "a list of rules is wanted here, like `- {modality: MG, use: jpegls}`")
	}
	var rules worker.CodecRules
	var items []*yaml.Node
	for _, item := range n.Content {
		item = follow(item)
		rule, err := r.codecRule(item)
		if err != nil {
			return err
		}
		rules, items = append(rules, rule), append(items, item)
	}
	var wrong *worker.CodecRuleError
	if err := rules.Check(); errors.As(err, &wrong) {
		return r.fail(items[wrong.Rule], fmt.Sprintf("%s[%d]", name, wrong.Rule), "%s (rules count from 1)", wrong.What)
	}
	r.c.Worker.Codec = rules
	return nil
}

func (r *reader) codecRule(item *yaml.Node) (rule worker.CodecRule, err error) {
	err = r.each(item, "worker.codec[].", func(name string, key, value *yaml.Node) error {
		list := func(to *[]string, form *regexp.Regexp, what string) error {
			text, err := r.values(value, name)
			if err != nil {
				return err
			}
			for v := range strings.SplitSeq(text, ",") {
				if v = strings.TrimSpace(v); v == "" {
					continue
				}
				if !form.MatchString(v) || len(v) > 64 {
					return r.fail(value, name, "%q is no %s", v, what)
				}
				if slices.Contains(*to, v) {
					return r.fail(value, name, "%s is there twice", v)
				}
				*to = append(*to, v)
			}
			if len(*to) == 0 {
				return r.fail(value, name, "it is empty: leave it out to mean any")
			}
			return nil
		}
		switch name {
		case "worker.codec[].modality":
			return list(&rule.Modalities, modality, "modality: capital letters and digits, like CT")
		case "worker.codec[].class":
			return list(&rule.Classes, class, "SOP Class UID, like 1.2.840.10008.5.1.4.1.1.2")
		case "worker.codec[].use":
			text, err := r.scalar(value, name)
			if err != nil {
				return err
			}
			rule.Use = worker.Codec(text)
			if !slices.Contains(worker.Codecs(), rule.Use) {
				return r.fail(value, name, "%q is not known: use %s", text, listed(worker.Codecs()))
			}
			return nil
		}
		return r.fail(key, name, "there is no such key; a rule has modality, class and use")
	})
	if err == nil && rule.Use == "" {
		err = r.fail(item, "worker.codec[].use", "it is missing: name the codec, %s", listed(worker.Codecs()))
	}
	return rule, err
}

func listed(codecs []worker.Codec) string {
	var s []string
	for _, c := range codecs {
		s = append(s, string(c))
	}
	return strings.Join(s, ", ")
}
