// Runs the test_* functions of one file on real MicroPython and prints one JSON line:
//   {"file", "version", "passed": [name], "failed": [{"name", "traceback"}]}
// Usage: node run_file.mjs REPOSITORY TEST_FILE; exit status 0 only if every test passed.
// What the tests print goes to stderr, so that stdout holds the report alone.
import fs from "node:fs";
import path from "node:path";
import { loadMicroPython } from "@micropython/micropython-webassembly-pyscript";

// The frozen modules of this build (hmac, functools, logging ...) are not on the board:
// a search path without ".frozen" makes an import of one fail here as it would there.
const DRIVER = `
import sys, io
sys.path[:] = ["/app", "/app/tests"]
_module = None

def _attempt(function):
    try:
        function()
    except BaseException as error:
        text = io.StringIO()
        sys.print_exception(error, text)
        return text.getvalue()
    return ""

def load(name):
    def importing():
        global _module
        _module = __import__(name)
    return _attempt(importing)

def names():
    return "\\n".join(sorted([n for n in dir(_module) if n.startswith("test_")]))

def run(name):
    return _attempt(getattr(_module, name))
`;

function copyTree(fileSystem, source, target) {
  fileSystem.mkdirTree(target);
  for (const entry of fs.readdirSync(source, { withFileTypes: true })) {
    const from = path.join(source, entry.name);
    const to = `${target}/${entry.name}`;
    if (entry.isDirectory()) {
      if (entry.name !== "__pycache__") copyTree(fileSystem, from, to);
    } else {
      fileSystem.writeFile(to, fs.readFileSync(from));
    }
  }
}

async function boot(repository, testFile) {
  const toStderr = (line) => process.stderr.write(`${line}\n`);
  const mp = await loadMicroPython({ stdout: toStderr, stderr: toStderr, linebuffer: true });
  mp.FS.mkdirTree("/app/edge");
  const gateway = path.join(repository, "edge");
  mp.FS.writeFile("/app/edge/__init__.py", fs.readFileSync(path.join(gateway, "__init__.py")));
  copyTree(mp.FS, path.join(gateway, "core"), "/app/edge/core");
  copyTree(mp.FS, path.dirname(testFile), "/app/tests");
  mp.runPython(DRIVER);
  return mp;
}

// Garbage is collected only when Python returns to JavaScript, hence one call per test.
function runTests(mp, module, report) {
  const trouble = mp.globals.get("load")(module);
  if (trouble) {
    report.failed.push({ name: "import", traceback: trouble });
    return;
  }
  const names = mp.globals.get("names")().split("\n").filter(Boolean);
  if (names.length === 0) report.failed.push({ name: "import", traceback: "no test_* function" });
  for (const name of names) {
    const traceback = mp.globals.get("run")(name);
    if (traceback) report.failed.push({ name, traceback });
    else report.passed.push(name);
  }
}

const [repository, testFile] = process.argv.slice(2);
if (!testFile) {
  process.stderr.write("usage: node run_file.mjs REPOSITORY TEST_FILE\n");
  process.exit(64);
}
const mp = await boot(repository, path.resolve(testFile));
mp.runPython("import sys\n_version = sys.version");
const report = { file: path.basename(testFile), version: mp.globals.get("_version") };
report.passed = [];
report.failed = [];
runTests(mp, path.basename(testFile, ".py"), report);
process.stdout.write(`${JSON.stringify(report)}\n`);
process.exitCode = report.failed.length === 0 ? 0 : 1;
