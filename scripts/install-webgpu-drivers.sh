#!/usr/bin/env bash
# Software Vulkan drivers for the WebGPU tests, unpacked into .cache/ and used by nothing else on the machine:
#   .cache/vk-lvp  lavapipe of Mesa 25 (f16, subgroups), from the backports of this Debian release
#   .cache/vk-ss   SwiftShader (no f16, 256 invocations), from Debian's Chromium
# Each gets an env.json with the variables a process must have before it starts. Mesa 22.3 of Debian 12 itself
# is refused by Dawn, hence the backport. Packages come from the machine's own apt sources.
set -uo pipefail
cd "$(dirname "$0")/.."
root="$PWD/.cache"

say() { echo "install-webgpu-drivers: $*" >&2; }

if ! command -v apt-get >/dev/null || ! command -v dpkg >/dev/null; then
  say "no apt here: not installed. Tests use the machine's own Vulkan driver if it has one."
  exit 0
fi

architecture="$(dpkg --print-architecture)"
triple="$(dpkg-architecture -qDEB_HOST_MULTIARCH 2>/dev/null || echo "$(uname -m)-linux-gnu")"
. /etc/os-release
codename="${VERSION_CODENAME:-}"

# An apt configuration of our own: own lists, cache and sources, the machine's keys and proxies.
apt_root="$root/apt"
prepare_apt() {
  [ -e "$apt_root/ready" ] && return 0
  rm -rf "$apt_root"
  mkdir -p "$apt_root/lists/partial" "$apt_root/cache/archives/partial" "$apt_root/sources.list.d" "$apt_root/state"
  # The main archive's entries, with the backports suite beside the release's own.
  for file in /etc/apt/sources.list.d/*.sources; do
    [ -e "$file" ] || continue
    sed -E "s/^(Suites:.*\b${codename})( .*|)$/\1\2 ${codename}-backports/" "$file" |
      awk -v suite="${codename}-backports" 'BEGIN { RS = ""; ORS = "\n\n" } $0 ~ suite && $0 !~ /security/' \
        >"$apt_root/sources.list.d/$(basename "$file")"
  done
  for file in /etc/apt/sources.list /etc/apt/sources.list.d/*.list; do
    [ -e "$file" ] || continue
    awk -v name="$codename" '$1 == "deb" {
      for (i = 2; i <= NF; i++) if ($i == name) { print; $i = name "-backports"; print; next } }' "$file" \
      >>"$apt_root/sources.list"
  done
  touch "$apt_root/sources.list"
  apt_ours update -qq >&2 || return 1
  touch "$apt_root/ready"
}

apt_ours() {
  apt-get -o Dir::State="$apt_root/state" -o Dir::State::status=/var/lib/dpkg/status \
    -o Dir::State::lists="$apt_root/lists" -o Dir::Cache="$apt_root/cache" \
    -o Dir::Etc::sourcelist="$apt_root/sources.list" -o Dir::Etc::sourceparts="$apt_root/sources.list.d" \
    -o APT::Sandbox::User= -o Acquire::Languages=none "$@"
}

# unpack <folder> <package>...: downloads and unpacks, installs nothing.
unpack() {
  local to="$1"
  shift
  mkdir -p "$to/deb" "$to/root"
  (cd "$to/deb" && apt_ours download -qq "$@" >&2) || return 1
  for deb in "$to"/deb/*.deb; do dpkg -x "$deb" "$to/root" || return 1; done
  rm -rf "$to/deb"
}

write_env() { # write_env <folder> <icd> <library path>
  mkdir -p "$1/run" "$1/shader-cache"
  chmod 700 "$1/run"
  cat >"$1/env.json" <<JSON
{
  "LD_LIBRARY_PATH": "$3",
  "VK_DRIVER_FILES": "$2",
  "VK_ICD_FILENAMES": "$2",
  "MESA_SHADER_CACHE_DIR": "$1/shader-cache",
  "XDG_RUNTIME_DIR": "$1/run"
}
JSON
}

install_lavapipe() {
  local to="$root/vk-lvp"
  [ -e "$to/env.json" ] && return 0
  rm -rf "$to"
  prepare_apt || { say "apt could not read its lists"; return 1; }
  unpack "$to" -t "${codename}-backports" mesa-vulkan-drivers libdrm2 || {
    say "no backport of mesa-vulkan-drivers for ${codename}"
    rm -rf "$to"
    return 1
  }
  local libraries="libvulkan1 libz3-4 libxcb-present0 libxcb-randr0 libxcb-dri3-0 libxcb-sync1 libxcb-xfixes0
    libxcb-shm0 libx11-xcb1 libxshmfence1 libwayland-client0 libxcb1 libx11-6 libxau6 libxdmcp6 libbsd0 libmd0
    libedit2 libelf1 libxml2 libexpat1 libzstd1 libffi8 libtinfo6"
  local llvm
  llvm="$(ldd "$(find "$to/root" -name libvulkan_lvp.so)" 2>/dev/null | grep -oE 'libLLVM-[0-9]+' | head -1 | tr -dc 0-9)"
  unpack "$to" $libraries "libllvm${llvm:-15}" || {
    say "some libraries of lavapipe are missing from the archive"
    rm -rf "$to"
    return 1
  }
  local library
  library="$(find "$to/root" -name libvulkan_lvp.so)"
  printf '{"file_format_version":"1.0.0","ICD":{"library_path":"%s","api_version":"1.4.0"}}\n' "$library" >"$to/icd.json"
  write_env "$to" "$to/icd.json" "$to/root/usr/lib/$triple:$to/root/lib/$triple"
}

install_swiftshader() {
  local to="$root/vk-ss"
  [ -e "$to/env.json" ] && return 0
  rm -rf "$to"
  prepare_apt || { say "apt could not read its lists"; return 1; }
  # Where Chromium is installed it has brought the driver and a loader along.
  local installed=/usr/lib/chromium
  if [ -e "$installed/libvk_swiftshader.so" ] && [ -e "$installed/vk_swiftshader_icd.json" ]; then
    mkdir -p "$to"
    write_env "$to" "$installed/vk_swiftshader_icd.json" "$installed"
    say "vk-ss ready (Chromium's own)"
    return 0
  fi
  unpack "$to" chromium-common || {
    say "no package chromium-common for ${codename} ${architecture}"
    rm -rf "$to"
    return 1
  }
  local folder
  folder="$(dirname "$(find "$to/root" -name libvk_swiftshader.so)")"
  write_env "$to" "$folder/vk_swiftshader_icd.json" "$folder"
}

install_lavapipe || say "lavapipe is not available: tests that need f16 or subgroups cannot run"
install_swiftshader || say "SwiftShader is not available"
for driver in vk-lvp vk-ss; do
  [ -e "$root/$driver/env.json" ] && say "$driver ready"
done
[ -e "$root/vk-lvp/env.json" ] || [ -e "$root/vk-ss/env.json" ]
