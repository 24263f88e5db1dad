#!/bin/bash
# job.sh FOLDER: see README.md
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
top=$(cd "$here/../../.." && pwd)
mkdir -p "$1"
job=$(cd "$1" && pwd)
package=$job/package
mkdir -p "$package/config/actions" "$package/node_modules"
cp -r "$top/dist" "$top/systemd" "$top/package.json" "$package/"
cp "$here/stand-in.mjs" "$package/dist/main.js"
# stands in for the package's own example, which is not what is proved here
echo 'NAME=proof' > "$package/.env.example"
echo '{}' > "$package/config/damselfly.yaml"
echo '{}' > "$package/config/damselfly.schema.json"
(cd "$top/node_modules" && cp -rL --parents koffi @koromix libsql @libsql @neon-rs detect-libc systeminformation \
  classic-level abstract-level maybe-combine-errors level-supports level-transcoder module-error buffer \
  base64-js ieee754 is-buffer napi-macros node-gyp-build zod fastest-levenshtein "$package/node_modules/")
cp "$here/run.sh" "$job/"
