package cli

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/raket/raket/pkg/image"
)

// listedImage is an image as raket image list shows it.
type listedImage struct {
	image.Image
	// Signature says who vouches for it.
	Signature string `json:"signature"`
	// Store is where it is: "writable", or the directory of a read-only store.
	Store string `json:"store"`
}

const writableStore = "writable"

// imageColumn is a column of raket image list.
type imageColumn struct {
	field, legend string
	cell          func(e *env, img listedImage, full bool) string
	compare       func(a, b listedImage) int
}

// textColumn is a column whose cells are sorted as they are printed in full.
func textColumn(field, legend string, text func(img listedImage, full bool) string) imageColumn {
	return imageColumn{
		field, legend,
		func(_ *env, img listedImage, full bool) string { return text(img, full) },
		func(a, b listedImage) int { return cmp.Compare(text(a, true), text(b, true)) },
	}
}

func imageColumns() []imageColumn {
	return []imageColumn{
		textColumn("id", "ID", func(img listedImage, full bool) string {
			if full {
				return image.FullID(img.Image)
			}
			return shortImageID(image.FullID(img.Image))
		}),
		textColumn("name", "NAME", func(img listedImage, _ bool) string { return img.Name() }),
		{"size", "SIZE",
			func(_ *env, img listedImage, full bool) string { return sizeText(img.SizeBytes, full) },
			func(a, b listedImage) int { return cmp.Compare(a.SizeBytes, b.SizeBytes) }},
		{"importtime", "IMPORT TIME",
			func(e *env, img listedImage, full bool) string { return e.moment(img.Imported, full) },
			func(a, b listedImage) int { return a.Imported.Compare(b.Imported) }},
		{"lastused", "LAST USED",
			func(e *env, img listedImage, full bool) string { return e.moment(img.LastUsed, full) },
			func(a, b listedImage) int { return a.LastUsed.Compare(b.LastUsed) }},
		textColumn("signature", "SIGNATURE", func(img listedImage, _ bool) string { return img.Signature }),
		textColumn("origin", "ORIGIN", func(img listedImage, _ bool) string { return img.Origin }),
		textColumn("digest", "DIGEST", func(img listedImage, full bool) string {
			if full {
				return img.ID.String()
			}
			return shortImageID(img.ID.String())
		}),
		textColumn("store", "STORE", func(img listedImage, _ bool) string { return img.Store }),
	}
}

// defaultColumns are those rkt had, and who vouches for the image where a script
// that reads rkt's is not to be expected.
func defaultColumns(asRkt bool) []imageColumn {
	const rkts = 5
	columns := imageColumns()
	if asRkt {
		return columns[:rkts]
	}
	return columns[:rkts+1]
}

func imageFields() []string {
	var fields []string
	for _, c := range imageColumns() {
		fields = append(fields, c.field)
	}
	return fields
}

// fieldList is a flag whose value is a list of columns.
type fieldList struct{ columns []imageColumn }

func (l *fieldList) Set(list string) error {
	l.columns = nil
	for field := range strings.SplitSeq(strings.ToLower(list), ",") {
		i := slices.IndexFunc(imageColumns(), func(c imageColumn) bool { return c.field == field })
		if i < 0 {
			return fmt.Errorf("there is no field %q; fields are %s", field, strings.Join(imageFields(), ", "))
		}
		if slices.ContainsFunc(l.columns, func(c imageColumn) bool { return c.field == field }) {
			return fmt.Errorf("field %q is given twice", field)
		}
		l.columns = append(l.columns, imageColumns()[i])
	}
	return nil
}

func (l *fieldList) String() string {
	var fields []string
	for _, c := range l.columns {
		fields = append(fields, c.field)
	}
	return strings.Join(fields, ",")
}
func (l *fieldList) Type() string { return "FIELD,…" }

func newImageList(e *env) *cobra.Command {
	var t tableFlags
	fields := fieldList{columns: defaultColumns(e.asRkt)}
	sortBy := fieldList{columns: []imageColumn{imageColumns()[3]}}
	var order *choice
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List images in the store",
		Long: `Fields are id, name, size, importtime, lastused, signature (who vouches for the image beyond its digests, as it was when
the image came), origin (what was fetched), digest (of the manifest, which is an OCI image's ID), and store: "writable", or the
directory of the read-only store that has it.`,
		Example:     `raket image list --fields=id,name --sort=size --order=desc`,
		Annotations: exits(exitOK, exitError),
		Args:        exactly(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, err := service(e, e.services.images)
			if err != nil {
				return err
			}
			images, err := s.List(cmd.Context())
			if err != nil {
				return fmt.Errorf("list images: %w", err)
			}
			listed := make([]listedImage, len(images))
			for i, img := range images {
				listed[i] = listedImage{img, img.SignatureState(), cmp.Or(s.Place(img), writableStore)}
			}
			sortImages(listed, sortBy.columns, order.value == "desc")
			if t.isJSON() {
				return t.printJSON(e.stdout, listed)
			}
			return e.printTable(fields.legend(t.noLegend), e.imageRows(listed, fields.columns, t.full))
		},
		ValidArgsFunction: cobra.NoFileCompletions,
	}
	t.define(cmd, "print whole IDs, sizes in bytes and times")
	cmd.Flags().Var(&fields, "fields", "print these fields")
	cmd.Flags().Var(&sortBy, "sort", "sort by these fields")
	order = choiceFlag(cmd, "order", "asc", "sort the least first or the greatest", "asc", "desc")
	mustCompleteFlag(cmd, "fields", imageFields()...)
	mustCompleteFlag(cmd, "sort", imageFields()...)
	return cmd
}

func (l *fieldList) legend(none bool) []string {
	if none {
		return nil
	}
	var legend []string
	for _, c := range l.columns {
		legend = append(legend, c.legend)
	}
	return legend
}

func sortImages(images []listedImage, by []imageColumn, descending bool) {
	slices.SortStableFunc(images, func(a, b listedImage) int {
		order := 0
		for _, c := range by {
			order = cmp.Or(order, c.compare(a, b))
		}
		if descending {
			order = -order
		}
		// What is equal keeps one order from call to call.
		return cmp.Or(order, cmp.Compare(a.ID, b.ID))
	})
}

func (e *env) imageRows(images []listedImage, columns []imageColumn, full bool) [][]string {
	var rows [][]string
	for _, img := range images {
		var row []string
		for _, c := range columns {
			row = append(row, c.cell(e, img, full))
		}
		rows = append(rows, row)
	}
	return rows
}

// sizeText is a size in bytes, or shortened as rkt did: 143MiB, 1.5GiB.
func sizeText(n int64, full bool) string {
	const unit, whole = 1024, 10
	if full || n < unit {
		return fmt.Sprintf("%dB", n)
	}
	size, prefixes := float64(n)/unit, "KMGTPE"
	for size >= unit && len(prefixes) > 1 {
		size, prefixes = size/unit, prefixes[1:]
	}
	if size < whole {
		return fmt.Sprintf("%.1f%ciB", size, prefixes[0])
	}
	return fmt.Sprintf("%.0f%ciB", size, prefixes[0])
}
