# Sourced: the mirror that this system's apt already uses, for another release and another architecture.
SUITE=trixie

say() { echo "[$(date +%T)] $*" >&2; }

install_missing() { # PACKAGE…
  local package need=()
  for package in "$@"; do dpkg -s "$package" >/dev/null 2>&1 || need+=("$package"); done
  [ ${#need[@]} -gt 0 ] || return 0
  say "installing ${need[*]}"
  apt-get update -qq
  DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=300 install -y -qq --no-install-recommends "${need[@]}" >/dev/null
}

debian_mirror() { # security's and others' lists have another label
  local find=(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Label: Debian')
  [ -n "$("${find[@]}")" ] || apt-get update -qq
  "${find[@]}" | head -1
}

debian_line() { echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $(debian_mirror) $SUITE main"; }

debian_download() { # ARCHITECTURE PACKAGE…: the .debs into the current folder
  local apt; apt=$(mktemp -d)
  mkdir -p "$apt"/{etc/apt.conf.d,etc/preferences.d,lists/partial,cache/archives/partial}
  : >"$apt/status"
  debian_line >"$apt/sources.list"
  cat >"$apt/conf" <<C
APT::Architecture "$1"; APT::Architectures { "$1"; }; APT::Sandbox::User "root"; Acquire::Languages "none";
Dir::Etc "$apt/etc/"; Dir::Etc::sourcelist "$apt/sources.list"; Dir::Etc::Parts "/etc/apt/apt.conf.d";
Dir::State "$apt"; Dir::State::lists "$apt/lists"; Dir::State::status "$apt/status"; Dir::Cache "$apt/cache";
C
  shift
  APT_CONFIG=$apt/conf apt-get update -qq
  APT_CONFIG=$apt/conf apt-get download -qq "$@"
  rm -rf "$apt"
}
