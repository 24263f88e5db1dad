#!/bin/bash
# Runs inside the arm64 machine: the package is installed as a person would, and proved.
cd /job
exec node inside.mjs
