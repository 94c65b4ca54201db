// The Khronos validator's report on a .glb, as JSON on stdout.
//   $ npm install gltf-validator
//   $ node tools/validate_gltf.mjs head.glb        looks for the package in the current folder and in NODE_PATH
import { createRequire } from "node:module";
import { readFileSync } from "node:fs";
import { join } from "node:path";

const path = process.argv[2];
const validator = createRequire(join(process.cwd(), "package.json"))("gltf-validator");
const report = await validator.validateBytes(new Uint8Array(readFileSync(path)), { uri: path });
console.log(JSON.stringify(report, null, 1));
process.exit(report.issues.numErrors ? 1 : 0);
