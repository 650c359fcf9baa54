// Runs after `npm install`, and before every script, on whatever Node the machine has: where install scripts are switched off,
// the first does not happen. The scripts of this project run on Node 24, which comes as the dev dependency `node`.
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const own = fileURLToPath(new URL('../node_modules/node/bin/node', import.meta.url));
const { stdout, error } = spawnSync(own, ['--version'], { encoding: 'utf8' });
if (error || !stdout.startsWith('v24.')) {
  console.error(
    [
      'Node 24 is missing in node_modules/node.',
      'It comes as the dev dependency `node`, whose install script was not allowed to run on this machine.',
      'Allow install scripts and install again:  npm ci --ignore-scripts=false',
    ].join('\n'),
  );
  process.exit(1);
}
