package main

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/radtier/radtier/internal/catalog"
)

func newThumb(p *program) *cobra.Command {
	var tenant, series, out string
	cmd := &cobra.Command{
		Use:   "thumb STUDY",
		Short: "Write the thumbnail of a study or a series",
		Long: `Writes a stored thumbnail, a JPEG of at most 256 pixels, to a file.

  radtier thumb STUDY -o study.jpg
  radtier thumb STUDY --series UID -o series.jpg`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx := cmd.Context()
			a, err := p.open(ctx, openToRead)
			if err != nil {
				return err
			}
			defer a.Close()
			s, err := a.find(ctx, tenant, args[0])
			if err != nil {
				return err
			}
			st, err := a.openShown(ctx, s)
			if err != nil {
				return err
			}
			data, ok := st.Thumb(or(series, "study"))
			if hidden := inTrash(st.Manifest, catalog.ClassPreview); !ok && hidden != nil {
				return hidden
			}
			if !ok {
				return fmt.Errorf("there is no such thumbnail: objects without pixels have none, nor has what may show who the patient is; `radtier show %s` lists the series", s.Hash()[:8])
			}
			if out == "" {
				out = safeName(or(series, s.UID)) + ".jpg"
			}
			to, err := openTarget(out, true, p.stdout)
			if err != nil {
				return err
			}
			defer to.close()
			if to.stream == nil && to.file == "" {
				return usagef("-o %s is a directory: name a file", out)
			}
			_, err = to.write("", "", func(w io.Writer) error {
				_, err := w.Write(data)
				return err
			})
			return err
		},
	}
	cmd.Flags().StringVar(&tenant, "tenant", "", "`TENANT` of the study, where several have it")
	cmd.Flags().StringVar(&series, "series", "", "of this Series Instance `UID`")
	cmd.Flags().StringVarP(&out, "output", "o", "", "`FILE`, or - for stdout (default: named by the UID)")
	return cmd
}
