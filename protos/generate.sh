#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Generates remote_agent/gen from protos/: messages, gRPC stubs and their types. `make protos`, or protos/generate.sh [INTO].
# The tools are those of the environment whose python is $PYTHON (.venv by default): their versions decide the bytes.
set -eu
cd "$(dirname "$0")/.."
into=${1:-.}
python=${PYTHON:-.venv/bin/python}
tools=$(dirname "$python")

"$python" -m grpc_tools.protoc --proto_path=remote_agent/gen=protos \
    --plugin="protoc-gen-mypy=$tools/protoc-gen-mypy" --plugin="protoc-gen-mypy_grpc=$tools/protoc-gen-mypy_grpc" \
    --python_out="$into" --grpc_python_out="$into" --mypy_out="quiet:$into" --mypy_grpc_out="quiet:$into" \
    remote_agent/gen/runtime/v1/cri.proto remote_agent/gen/labctl/agent/v1/agent.proto

for package in . runtime runtime/v1 labctl labctl/agent labctl/agent/v1; do
    echo '# SPDX-License-Identifier: Apache-2.0' >"$into/remote_agent/gen/$package/__init__.py"
done
