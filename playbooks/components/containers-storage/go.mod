module labctl/components/containers-storage

go 1.26.8

require go.podman.io/storage v1.61.1-0.20251212224252-b0f86df5a665
