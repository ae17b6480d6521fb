// SPDX-License-Identifier: Apache-2.0

// Command floor prints what a round trip to a container runtime costs critest's own CRI client: the median of N calls of Version
// and of ImageStatus, in nanoseconds, as JSON. It makes its client as critest does.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"log"
	"os"
	"slices"
	"time"

	pb "k8s.io/cri-api/pkg/apis/runtime/v1"
	remote "k8s.io/cri-client/pkg"
)

const connectWithin = 10 * time.Second

func main() {
	endpoint := flag.String("endpoint", "unix:///run/containerd/containerd.sock", "the runtime's CRI socket")
	image := flag.String("image", "localhost/labctl/busybox:1", "what ImageStatus asks for")
	calls := flag.Int("calls", 200, "how many calls of each; the first is not counted")
	flag.Parse()
	if *calls < 1 {
		log.Fatal("floor: -calls must be at least 1.")
	}
	found, err := measure(*endpoint, *image, *calls)
	if err != nil {
		log.Fatalf("floor: %s: %v", *endpoint, err)
	}
	if err := json.NewEncoder(os.Stdout).Encode(found); err != nil {
		log.Fatalf("floor: %v", err)
	}
}

func measure(endpoint, image string, calls int) (map[string]int64, error) {
	ctx := context.Background()
	runtime, err := remote.NewRemoteRuntimeService(ctx, endpoint, connectWithin, nil, false)
	if err != nil {
		return nil, err
	}
	images, err := remote.NewRemoteImageService(ctx, endpoint, connectWithin, nil, false)
	if err != nil {
		return nil, err
	}
	version, err := median(calls, func() error {
		_, err := runtime.Version(ctx, "v1")
		return err
	})
	if err != nil {
		return nil, err
	}
	status, err := median(calls, func() error {
		_, err := images.ImageStatus(ctx, &pb.ImageSpec{Image: image}, false)
		return err
	})
	if err != nil {
		return nil, err
	}
	return map[string]int64{"Version": version, "ImageStatus": status}, nil
}

// median is that of calls after one that is not counted: it may connect.
func median(calls int, call func() error) (int64, error) {
	if err := call(); err != nil {
		return 0, err
	}
	took := make([]int64, calls)
	for i := range took {
		start := time.Now()
		if err := call(); err != nil {
			return 0, err
		}
		took[i] = time.Since(start).Nanoseconds()
	}
	slices.Sort(took)
	return (took[(calls-1)/2] + took[calls/2]) / 2, nil
}
