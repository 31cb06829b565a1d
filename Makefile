# A fresh machine needs Python 3.11 or newer, and make. See .github/CONTRIBUTING.md for all targets.
#   make demo   generate and verify a first weight file
#   make test   run the tests
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# pip reads dependency groups from version 25.1 on, so the virtual environment has its own pip.
# setuptools warns that extension modules in pyproject.toml are experimental.
PIP := PYTHONWARNINGS=ignore $(BIN)/python -m pip --disable-pip-version-check

.PHONY: demo test test-frameworks check-kernel check-machines lint format bench goldens pictures clean

$(VENV)/.made:
	@$(PYTHON) -c 'import sys; sys.exit("lecun-init needs Python 3.11 or newer, got " + sys.version.split()[0] if sys.version_info < (3, 11) else 0)'
	$(PYTHON) -m venv $(VENV)
	$(PIP) install --quiet 'pip>=25.1'
	@touch $@

$(VENV)/.installed: $(VENV)/.made pyproject.toml $(wildcard lecun_cli/stream/_kernel/*.[ch])
	$(PIP) install --quiet --editable .
	@touch $@

$(VENV)/.dev: $(VENV)/.installed
	$(PIP) install --quiet --group dev
	@touch $@

$(VENV)/.frameworks: $(VENV)/.dev
	$(PIP) install --quiet --group frameworks
	@touch $@

demo: $(VENV)/.installed
	@mkdir -p demo
	$(BIN)/lecun-init plan sample_specs/selu_mlp.yaml
	$(BIN)/lecun-init sample_specs/selu_mlp.yaml -o demo/selu_mlp.safetensors --force
	$(BIN)/lecun-init verify demo/selu_mlp.safetensors --regenerate
	$(BIN)/lecun-init slice sample_specs/selu_mlp.yaml hidden/kernel 0,:5

# Many tests start a process. Where Python may not write bytecode (PYTHONDONTWRITEBYTECODE), each of them would
# compile the package again.
test: $(VENV)/.dev
	$(BIN)/python -m compileall -q lecun_cli
	LECUN_INIT_KERNEL=0 $(BIN)/python -m pytest -n auto --deselect tests/stream/_kernel/test_native.py::TestKernel --deselect tests/output/test_digests.py::TestKernel tests/stream tests/tensors/test_generator.py tests/output/test_engine.py tests/output/test_digests.py
	$(BIN)/python -m pytest -n auto

test-frameworks: $(VENV)/.frameworks
	$(BIN)/python -m pytest -m frameworks

# The C kernel with all warnings, and under the address and undefined-behavior sanitizers.
KERNEL := lecun_cli/stream/_kernel
CFLAGS_CHECK := -std=c11 -O1 -g -ffp-contract=off -Wall -Wextra -Wpedantic -Werror -I$(KERNEL)
SANITIZED := $(CFLAGS_CHECK) -DLECUN_NO_CLONES -fsanitize=address,undefined -fno-sanitize-recover=all
check-kernel: $(VENV)/.made
	@mkdir -p build
	$(CC) $(CFLAGS_CHECK) -fsyntax-only -I"$$($(BIN)/python -c 'import sysconfig; print(sysconfig.get_path("include"))')" $(KERNEL)/module.c
	$(CC) $(SANITIZED) $(KERNEL)/draw.c $(KERNEL)/elements.c $(KERNEL)/philox.c tests/stream/_kernel/boxes.c -o build/kernel-boxes
	$(CC) $(SANITIZED) tests/stream/_kernel/blocks.c -o build/kernel-blocks
	$(CC) $(SANITIZED) $(KERNEL)/sha256.c tests/stream/_kernel/digests.c -o build/kernel-digests
	build/kernel-boxes
	build/kernel-blocks
	build/kernel-digests

# The kernel's bits on other processors, by emulation. It is not part of CI, because it needs the Debian packages
# qemu-user, gcc-aarch64-linux-gnu, libc6-dev-arm64-cross, gcc-s390x-linux-gnu (big-endian) and libc6-dev-s390x-cross.
MACHINES := tests/stream/_kernel/machines.c $(KERNEL)/draw.c $(KERNEL)/elements.c $(KERNEL)/philox.c
CFLAGS_MACHINES := -std=gnu11 -O3 -ffp-contract=off -fno-math-errno -fno-trapping-math -I$(KERNEL)
check-machines:
	@mkdir -p build
	$(CC) $(CFLAGS_MACHINES) $(MACHINES) -o build/machine
	aarch64-linux-gnu-gcc -static $(CFLAGS_MACHINES) $(MACHINES) -o build/machine-aarch64
	s390x-linux-gnu-gcc -static $(CFLAGS_MACHINES) $(MACHINES) -o build/machine-s390x
	@here=$$(build/machine); echo "here: $$here"; \
	for run in "qemu-x86_64 -cpu Nehalem build/machine" "qemu-x86_64 -cpu Haswell build/machine" \
	    "qemu-aarch64 build/machine-aarch64" "qemu-s390x build/machine-s390x"; do \
	  bits=$$($$run 2>/dev/null); echo "$$run: $$bits"; [ "$$bits" = "$$here" ] || exit 1; done

lint: $(VENV)/.dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/python -m tests.language

format: $(VENV)/.dev
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: $(VENV)/.frameworks
	$(BIN)/python -m tests.bench

pictures: $(VENV)/.dev
	PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python -m tests.pictures

goldens: $(VENV)/.dev
	$(BIN)/python tests/stream/regenerate_goldens.py

clean:
	rm -rf $(VENV) demo build *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
