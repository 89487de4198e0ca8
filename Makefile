# Every target sets up what it needs: system packages (Debian and Ubuntu: installed with apt where missing; macOS:
# the brew command is printed), then a release build with the native toolset.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c

TOOLSET := --toolset native.json
RELEASE := -c release $(TOOLSET)
APT_PACKAGES := libqhull-dev libopenblas-dev liblapacke-dev zlib1g-dev libsuitesparse-dev
BREW_PACKAGES := qhull openblas zlib suite-sparse
DOCUMENTED := Lanes LinearAlgebra Autodiff LinearSolvers Learning RobotModels Kinematics RigidBody Simulation Costate DifferentialEquations ImplicitLayers
DOCS_OUTPUT := .build/documentation
SOURCES := Package.swift Sources Tests Examples

EXAMPLES := Quickstart TrainPerceptron CartpolePolicy LotkaVolterra BouncingBall
QUICK_EXAMPLES := DeepEquilibrium LearnConjugateGradients NeuralEquation PhysicsNeuralEquation DampedOscillator
DRAWING_EXAMPLES := LotkaVolterra BouncingBall NeuralEquation PhysicsNeuralEquation DampedOscillator
FIGURES := .build/figures

.PHONY: help setup build demo test trap-test examples bench docs format lint clean

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-10s %s\n", $$1, $$2 }' Makefile

setup: ## Install the system packages that are missing
	@if ! command -v swift > /dev/null; then \
	  echo "setup: swift is not on the PATH; install Swift 6.2 or later from https://www.swift.org/install"; exit 1; \
	fi
	@if [ "$$(uname -s)" = Darwin ]; then \
	  for package in $(BREW_PACKAGES); do \
	    brew list --versions $$package > /dev/null 2>&1 || missing="$${missing:-} $$package"; \
	  done; \
	  if [ -n "$${missing:-}" ]; then echo "setup: run: brew install$$missing"; exit 1; fi; \
	elif command -v dpkg-query > /dev/null; then \
	  for package in $(APT_PACKAGES); do \
	    dpkg-query -W -f '$${Status}' $$package 2> /dev/null | grep -q 'ok installed' \
	      || missing="$${missing:-} $$package"; \
	  done; \
	  if [ -n "$${missing:-}" ]; then \
	    echo "setup: installing$$missing"; \
	    if [ "$$(id -u)" = 0 ]; then as_root=""; else as_root="sudo"; fi; \
	    $$as_root apt-get update -qq; \
	    DEBIAN_FRONTEND=noninteractive $$as_root apt-get install -y -qq --no-install-recommends $$missing; \
	  fi; \
	else \
	  echo "setup: neither apt nor brew here; install the equivalents of: $(APT_PACKAGES)"; \
	fi

build: setup ## Build the library and the command line
	swift build $(RELEASE) --product costate

demo: build ## The two-minute tour
	.build/release/costate demo

test: setup ## Run the tests (release build)
	swift test $(RELEASE)

trap-test: setup ## Run the suites named *Trap* in a debug build, where arithmetic is checked
	swift test --filter Trap

examples: setup ## Run the examples, at small sizes where training takes time; figures go to .build/figures
	for name in $(EXAMPLES) $(QUICK_EXAMPLES); do swift build $(RELEASE) --product $$name || exit 1; done
	mkdir -p $(FIGURES)
	for name in $(EXAMPLES) $(QUICK_EXAMPLES); do \
	  echo "-- $$name"; \
	  arguments=""; \
	  case " $(QUICK_EXAMPLES) " in *" $$name "*) arguments="--quick";; esac; \
	  case " $(DRAWING_EXAMPLES) " in *" $$name "*) arguments="$$arguments $(FIGURES)/$$name.svg";; esac; \
	  .build/release/$$name $$arguments || exit 1; \
	done

bench: build ## Time the kernels and the models
	.build/release/costate bench

docs: setup ## Build the documentation; a warning is an error
	rm -rf $(DOCS_OUTPUT)
	swift package --allow-writing-to-directory $(DOCS_OUTPUT) generate-documentation \
	  $(addprefix --target ,$(DOCUMENTED)) --enable-experimental-combined-documentation \
	  --warnings-as-errors --output-path $(DOCS_OUTPUT)

format: ## Lay out the sources
	swift format --in-place --parallel --recursive $(wildcard $(SOURCES))

lint: ## Check the layout and the style rules
	swift format lint --strict --parallel --recursive $(wildcard $(SOURCES))

clean: ## Remove every build product
	rm -rf .build
