// Package layers sends images that are hostile, or very large, through the
// built programs and through those of others.
//
// The package itself makes images on disk, as OCI image layouts, which the
// benchmarks use too. Its tests fetch pkg/layer/corpus by bin/raket and unpack
// it by umoci and podman, compare what came of it and hold docs/layers.md
// against that; and they measure the memory of fetching.
package layers
