package cli

import "path/filepath"

// realServices binds the verbs to the parts that do their work.
func realServices() services {
	return services{
		fetcher:     func(s settings) (fetcher, error) { return openImages(s) },
		images:      func(s settings) (imageStore, error) { return openImages(s) },
		imageKeeper: func(s settings) (imageKeeper, error) { return openImages(s) },
		imageFiles:  func(s settings) (imageFiles, error) { return openImages(s) },
		pods:        func(s settings) (podStore, error) { return openPods(s) },
		preparer:    func(s settings) (preparer, error) { return openPreparer(s) },
		launcher:    func(s settings) (launcher, error) { return openPods(s) },
		keeper:      func(s settings) (keeper, error) { return openPods(s) },
		networks:    func(s settings) (networkStore, error) { return openPods(s) },
		apps:        func(s settings) (appKeeper, error) { return &realApps{s}, nil },
		trusted:     func(s settings) (trustedKeys, error) { return openKeystore(s), nil },
		web:         func(settings) (keyWeb, error) { return web{}, nil },
	}
}

// absDataDir is the data directory for those who change their own.
func absDataDir(s settings) (string, error) { return filepath.Abs(s.DataDir) }
