// Runs after `npm install` on whatever Node the machine has. The scripts of this project run on Node 24,
// which comes as the dev dependency `node`; its install script has to be allowed to run.
import { spawnSync } from 'node:child_process';

const { stdout, error } = spawnSync('node_modules/node/bin/node', ['--version'], { encoding: 'utf8' });
if (error || !stdout.startsWith('v24.')) {
  console.error(
    [
      'Node 24 is missing in node_modules/node.',
      'It comes as the dev dependency `node`, whose install script did not run: install scripts are switched off here.',
      'Allow them and install again:  npm ci --ignore-scripts=false',
    ].join('\n'),
  );
  process.exit(1);
}
