module labctl/components/cri-o

go 1.26.8

require github.com/cri-o/cri-o v1.36.3
