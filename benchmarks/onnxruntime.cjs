// Times the inference of export_onnx.py's model in ONNX Runtime, as benchmark_inference does in Vitral.
//   node onnxruntime.cjs MODEL_NAME ONNX_FILE STATE_FILE [--batch 1] [--threads 2] [--runs 20]
// NODE_PATH must lead to onnxruntime-node. The images are the state file's; image 0's features are printed.
const fs = require('fs');
const ort = require('onnxruntime-node');
const { version } = require('onnxruntime-node/package.json');

const [name, model, state, ...rest] = process.argv.slice(2);
const options = { batch: 1, threads: 2, runs: 20 };
for (let i = 0; i < rest.length; i += 2) options[rest[i].slice(2)] = Number(rest[i + 1]);

// The first `batch` images of a safetensors file: u64 length of the JSON header, the header, the data.
function readImages(path, batch) {
  const file = fs.openSync(path);
  const read = (offset, length) => {
    const bytes = Buffer.alloc(length);
    fs.readSync(file, bytes, 0, length, offset);
    return bytes;
  };
  const length = Number(read(0, 8).readBigUInt64LE());
  const { shape, data_offsets: [begin] } = JSON.parse(read(8, length)).images;
  if (shape[0] < batch) throw new Error(`${path} has fewer than ${batch} images`);
  shape[0] = batch;
  const bytes = read(8 + length + begin, 4 * shape.reduce((a, b) => a * b));
  return new ort.Tensor('float32', new Float32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4), shape);
}

async function main() {
  const { batch, threads, runs } = options;
  const session = await ort.InferenceSession.create(
    model, { intraOpNumThreads: threads, interOpNumThreads: 1, graphOptimizationLevel: 'all' });
  const feeds = { images: readImages(state, batch) };
  await session.run(feeds);
  await session.run(feeds);
  const milliseconds = [];
  let features;
  for (let i = 0; i < runs; ++i) {
    const start = performance.now();
    ({ features } = await session.run(feeds));
    milliseconds.push(performance.now() - start);
  }
  const median = milliseconds.sort((a, b) => a - b)[Math.floor(runs / 2)];
  console.log(`ONNX Runtime ${version} vit_${name} fp32 batch ${batch}: median ${median.toFixed(2)} ms, ` +
              `${(1e3 * batch / median).toFixed(1)} images/s`);
  const first = Array.from(features.data.subarray(0, features.dims[1]));
  console.log(`features ${first.slice(0, 4).map(x => x.toPrecision(6)).join(' ')}, norm ` +
              Math.sqrt(first.reduce((sum, x) => sum + x * x, 0)).toPrecision(6));
}

main().catch(error => {
  console.error(error.message);
  process.exit(1);
});
