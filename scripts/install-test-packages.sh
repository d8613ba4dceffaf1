#!/usr/bin/env bash
# Debian packages of other people's tools that the tests use: ONNX's checker, PyTorch and its BLAS to compare with, and
# Chromium for the page of a WGSL bundle.
set -euo pipefail
packages=(python3-onnx python3-torch libopenblas0-pthread python3-numpy chromium)
missing=()
for package in "${packages[@]}"; do
  dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q "install ok installed" || missing+=("$package")
done
if [ "${#missing[@]}" -gt 0 ]; then
  export DEBIAN_FRONTEND=noninteractive
  sudo=""
  [ "$(id -u)" -eq 0 ] || sudo="sudo"
  $sudo apt-get update -qq
  $sudo apt-get install -y -qq --no-install-recommends "${missing[@]}"
fi
