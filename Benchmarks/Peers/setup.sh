#!/bin/sh
# Creates Benchmarks/.venv with the pinned peers and builds the C and C++ programs in Benchmarks/Peers/.build.
# Needs python3 (3.10 or later) with venv, a C and a C++ compiler. Override with PYTHON, CC, CXX.
# With "nolearning" as the argument PyTorch, which is large, is left out.
set -eu
peers=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$peers/../.." && pwd)
venv="$peers/../.venv"
build="$peers/.build"
python=${PYTHON:-python3}
cc=${CC:-clang}
cxx=${CXX:-g++}
command -v "$cc" >/dev/null || cc=cc

[ -x "$venv/bin/python" ] || "$python" -m venv "$venv"
"$venv/bin/pip" install --quiet -r "$root/Tools/requirements.txt" cmeel-eigen==3.4.1 casadi==3.8.2
if [ "${1:-}" != nolearning ]; then
  "$venv/bin/pip" install --quiet --retries 1 --extra-index-url https://download.pytorch.org/whl/cpu \
    -r "$peers/requirements.txt"
fi

# qpth needs an older NumPy than the other peers.
if [ "${1:-}" != nolearning ]; then
  [ -x "$venv-qpth/bin/python" ] || "$python" -m venv "$venv-qpth"
  "$venv-qpth/bin/pip" install --quiet --retries 1 --extra-index-url https://download.pytorch.org/whl/cpu \
    "numpy<2" qpth==0.0.18 torch==2.13.0
fi

mkdir -p "$build"
site=$("$venv/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
mujoco="$site/mujoco"
for name in mujoco_step mujoco_contact mujoco_states; do
  "$cc" -O3 -march=native -o "$build/$name" "$peers/$name.c" \
    -I"$mujoco/include" "$mujoco/libmujoco.so.3.12.0" -Wl,-rpath,"$mujoco" -lm
done
# Debian: libsundials-dev.
if [ -f /usr/include/cvodes/cvodes.h ]; then
  "$cc" -O3 -march=native -o "$build/equations_cvodes" "$peers/equations_cvodes.c" \
    -lsundials_cvodes -lsundials_nvecserial -lm
fi
cmeel="$site/cmeel.prefix"
if [ ! "$build/pinocchio_dynamics" -nt "$peers/pinocchio_dynamics.cpp" ]; then
  echo "building pinocchio_dynamics (about a minute)"
  "$cxx" -O3 -march=native -DNDEBUG -std=c++17 -DBOOST_MPL_LIMIT_LIST_SIZE=30 \
    -DBOOST_MPL_LIMIT_VECTOR_SIZE=30 -DBOOST_MPL_CFG_NO_PREPROCESSED_HEADERS -DBOOST_FUSION_INVOKE_MAX_ARITY=12 -o "$build/pinocchio_dynamics" "$peers/pinocchio_dynamics.cpp" \
    -isystem "$cmeel/include/eigen3" -isystem "$cmeel/include" \
    -L"$cmeel/lib" -lboost_serialization -Wl,-rpath,"$cmeel/lib"
fi
casadi="$site/casadi"
if [ -d "$casadi" ]; then
  "$venv/bin/python" "$peers/autodiff_casadi.py" "$build/casadi"
  "$cc" -O3 -march=native -shared -fPIC -o "$build/casadi/functions.so" "$build/casadi/functions.c" -lm
  "$cc" -O3 -march=native -o "$build/casadi_time" "$peers/casadi_time.c" -isystem "$casadi/include" \
    -L"$casadi" -lcasadi -Wl,-rpath,"$casadi" -ldl -lm
fi
models=${COSTATE_TEST_MODELS:-$root/../shared/models}
for name in romeo_small panda; do
  if [ -f "$models/urdf/$name.urdf" ]; then
    "$venv/bin/python" "$peers/pinocchio_model.py" "$models/urdf/$name.urdf" "$build/$name.txt"
  fi
done
echo "peers are ready in $build"
