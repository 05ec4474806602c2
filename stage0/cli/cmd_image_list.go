package cli

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/raket/raket/pkg/image"
)

// imageColumn is a column of raket image list.
type imageColumn struct {
	field, legend string
	cell          func(e *env, img image.Image, full bool) string
	compare       func(a, b image.Image) int
}

func imageColumns() []imageColumn {
	return []imageColumn{
		{"id", "ID",
			func(_ *env, img image.Image, full bool) string {
				if full {
					return image.FullID(img)
				}
				return shortImageID(image.FullID(img))
			},
			func(a, b image.Image) int { return cmp.Compare(image.FullID(a), image.FullID(b)) }},
		{"name", "NAME",
			func(_ *env, img image.Image, _ bool) string { return img.Name() },
			func(a, b image.Image) int { return cmp.Compare(a.Name(), b.Name()) }},
		{"size", "SIZE",
			func(_ *env, img image.Image, full bool) string { return sizeText(img.SizeBytes, full) },
			func(a, b image.Image) int { return cmp.Compare(a.SizeBytes, b.SizeBytes) }},
		{"importtime", "IMPORT TIME",
			func(e *env, img image.Image, full bool) string { return e.moment(img.Imported, full) },
			func(a, b image.Image) int { return a.Imported.Compare(b.Imported) }},
		{"lastused", "LAST USED",
			func(e *env, img image.Image, full bool) string { return e.moment(img.LastUsed, full) },
			func(a, b image.Image) int { return a.LastUsed.Compare(b.LastUsed) }},
	}
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
	fields := fieldList{columns: imageColumns()}
	sortBy := fieldList{columns: []imageColumn{imageColumns()[3]}}
	var order *choice
	cmd := &cobra.Command{
		Use:         "list",
		Short:       "List images in the store",
		Long:        `Fields are id, name, size, importtime and lastused.`,
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
			sortImages(images, sortBy.columns, order.value == "desc")
			if t.isJSON() {
				if images == nil {
					images = []image.Image{}
				}
				return t.printJSON(e.stdout, images)
			}
			return e.printTable(fields.legend(t.noLegend), e.imageRows(images, fields.columns, t.full))
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

func sortImages(images []image.Image, by []imageColumn, descending bool) {
	slices.SortStableFunc(images, func(a, b image.Image) int {
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

func (e *env) imageRows(images []image.Image, columns []imageColumn, full bool) [][]string {
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
