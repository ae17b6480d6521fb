module labctl/components/runc

go 1.26.8

require github.com/opencontainers/runc v1.5.2
