import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';

/** `node scripts/bicep.ts build` writes infra/main.json; `check` compiles, lints without any warning, and compares. */
const version = '0.49.2';
const nugetPackage = 'Azure.Bicep.CommandLine.linux-x64';
const infra = join(import.meta.dirname, '..', 'infra');
const compiled = join(infra, 'main.json');

const answers = (command: string, args: readonly string[]): boolean =>
  spawnSync(command, args, { stdio: 'ignore' }).status === 0;

/** The command line that is Bicep on this machine, or undefined. */
const findBicep = async (): Promise<readonly [string, ...string[]] | undefined> => {
  if (answers('bicep', ['--version'])) return ['bicep'];
  if (answers('az', ['bicep', 'version'])) return ['az', 'bicep'];
  const fromNuget =
    process.platform === 'linux' && process.arch === 'x64' && answers('dotnet', ['--version']);
  return fromNuget ? [await restoreFromNuget()] : undefined;
};

const restoreFromNuget = async (): Promise<string> => {
  const packages = process.env['NUGET_PACKAGES'] ?? join(homedir(), '.nuget', 'packages');
  const tool = join(packages, nugetPackage.toLowerCase(), version, 'tools', 'bicep');
  if (!existsSync(tool)) {
    await mkdir(packages, { recursive: true });
    const folder = await mkdtemp(join(tmpdir(), 'bicep-'));
    try {
      const project = join(folder, 'bicep.csproj');
      await writeFile(
        project,
        `<Project Sdk="Microsoft.NET.Sdk">
  <PropertyGroup>
    <TargetFramework>netstandard2.0</TargetFramework>
    <DisableImplicitFrameworkReferences>true</DisableImplicitFrameworkReferences>
  </PropertyGroup>
  <ItemGroup><PackageDownload Include="${nugetPackage}" Version="[${version}]" /></ItemGroup>
</Project>`,
      );
      const { status, stdout } = spawnSync('dotnet', ['restore', project, '--packages', packages], {
        encoding: 'utf8',
      });
      if (status !== 0) throw new Error(`NuGet did not give ${nugetPackage} ${version}:\n${stdout}`);
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  }
  await chmod(tool, 0o755);
  return tool;
};

const bicep = await findBicep();
if (bicep === undefined) {
  console.error(
    [
      'Bicep is not on this machine. Install one of:',
      '  the Bicep CLI, as `bicep` on the path;',
      '  the Azure CLI, then `az bicep install`;',
      `  the .NET SDK (Linux, x64): Bicep then comes as the NuGet package ${nugetPackage}.`,
    ].join('\n'),
  );
  process.exit(1);
}

/** az wants the file behind `--file`, bicep without. */
const compile = (action: 'build' | 'build-params', file: string): string => {
  const [command, ...before] = bicep;
  const target = command === 'az' ? ['--file', join(infra, file)] : [join(infra, file)];
  const { status, stdout, stderr, error } = spawnSync(command, [...before, action, ...target, '--stdout'], {
    encoding: 'utf8',
    maxBuffer: 64 * 1024 * 1024,
  });
  const faults = stderr
    .split('\n')
    .filter((line) => /: (Warning|Error) /.test(line))
    .join('\n');
  if (error !== undefined || status !== 0 || faults !== '') {
    console.error(`${file} does not compile without warnings:\n${faults === '' ? stderr : faults}`);
    process.exit(1);
  }
  return stdout;
};

/** Without the compiler's own version: another version that compiles the same is as good. */
const comparable = (text: string): string =>
  JSON.stringify(JSON.parse(text), (key, value: unknown) => (key === '_generator' ? undefined : value));

const template = compile('build', 'main.bicep');
if (process.argv[2] === 'build') {
  await writeFile(compiled, `${template.trimEnd()}\n`);
  console.log('infra/main.json is written.');
} else {
  for (const parameters of ['main.dev.bicepparam', 'main.prod.bicepparam'])
    compile('build-params', parameters);
  const kept = existsSync(compiled) ? await readFile(compiled, 'utf8') : '{}';
  if (comparable(kept) !== comparable(template)) {
    console.error('infra/main.json is not what infra/main.bicep compiles to. Run: npm run infra:build');
    process.exit(1);
  }
  console.log('infra/ compiles without warnings, and main.json is current.');
}
