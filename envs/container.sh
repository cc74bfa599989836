# What a container holds, made on Debian 13 for envs/Dockerfile and envs/apptainer.def: the packages of envs/whole.yaml in
# /opt/dcac, and `dcac`, which runs the code of the folder that it is typed in. (Debian 12 has Python 3.11.2, too old for the lock.)
set -eu
apt-get update
apt-get install --yes --no-install-recommends ca-certificates git python3-venv rsync
rm -rf /var/lib/apt/lists/*
python3 -m venv /opt/dcac
sed -n 's/^ *- "\(.*\)"$/\1/p' /tmp/whole.yaml > /tmp/whole.txt
/opt/dcac/bin/pip install --no-cache-dir --no-deps --requirement /tmp/whole.txt
printf '#!/bin/sh\nexec python -m dcac "$@"\n' > /opt/dcac/bin/dcac
chmod +x /opt/dcac/bin/dcac
