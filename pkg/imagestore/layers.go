package imagestore

import (
	"cmp"
	"context"
	"runtime/debug"
	"slices"
	"sync"

	"github.com/opencontainers/go-digest"

	"github.com/raket/raket/pkg/image"
	"github.com/raket/raket/pkg/layer"
)

// parallelLayers is how many layers are read at a time. Each is at most three
// busy goroutines and about 3 MiB of buffers, besides its decompressor.
const parallelLayers = 4

// memoryBytes is what the Go runtime aims at while layers are added. In use at
// a time are four layers' buffers and the budget for decompression, some 45 MiB
// at most; without a limit the heap would grow to twice that between two
// collections. With the program itself it stays below 64 MiB.
const memoryBytes = 48 << 20

// AddLayers adds all layers of an image, several at a time, the largest first.
// The first error ends all.
func (s *Store) AddLayers(ctx context.Context, v image.Verified, source func(image.VerifiedLayer) LayerSource) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	queue := make(chan image.VerifiedLayer)
	var wg sync.WaitGroup
	var once sync.Once
	var first error
	if outer := debug.SetMemoryLimit(-1); outer > memoryBytes {
		debug.SetMemoryLimit(memoryBytes)
		defer debug.SetMemoryLimit(outer)
	}
	memory := layer.NewBudget(layer.DefaultBudgetBytes)
	for range parallelLayers {
		wg.Go(func() {
			for l := range queue {
				src := source(l)
				src.memory = memory
				if err := s.addTrusted(ctx, l, src); err != nil {
					once.Do(func() { first = err })
					cancel(err)
				}
			}
		})
	}
	for _, l := range bySize(v.Layers()) {
		select {
		case queue <- l:
			continue
		case <-ctx.Done():
		}
		break
	}
	close(queue)
	wg.Wait()
	if first != nil {
		return first
	}
	return context.Cause(ctx)
}

// addTrusted adds a layer, from wherever its bytes turn out to be right.
func (s *Store) addTrusted(ctx context.Context, l image.VerifiedLayer, src LayerSource) error {
	for {
		err := s.AddLayer(ctx, l, src)
		if !isWrong(err, l) && !isShort(err) || src.Distrust == nil || !src.Distrust() {
			return err
		}
	}
}

// bySize has each layer once, the largest first: a large layer begun last
// would be waited for alone.
func bySize(layers []image.VerifiedLayer) []image.VerifiedLayer {
	slices.SortStableFunc(layers, func(a, b image.VerifiedLayer) int {
		return cmp.Compare(b.Layer().SizeBytes, a.Layer().SizeBytes)
	})
	seen := map[digest.Digest]bool{}
	return slices.DeleteFunc(layers, func(l image.VerifiedLayer) bool {
		dup := seen[l.Layer().Digest]
		seen[l.Layer().Digest] = true
		return dup
	})
}
