export const unitName = 'live-response-agent.service';

export interface UnitPaths {
  /** The Node.js program. */
  readonly node: string;
  /** The agent's entry file. */
  readonly agent: string;
  readonly state: string;
}

/**
 * The unit that runs the agent. It hardens what response commands do not need: they must see and change the whole system, so
 * `ProtectSystem`, `ProtectHome`, `PrivateTmp` and capability bounds are left out, and V8 needs writable executable memory.
 */
export const systemdUnit = ({ node, agent, state }: UnitPaths): string => `[Unit]
Description=Live Response agent
Wants=network-online.target
After=network-online.target
# A device that cannot be reached any more is worse than one that restarts for ever.
StartLimitIntervalSec=0

[Service]
ExecStart=${[node, agent].map(word).join(' ')} run --state ${word(state)}
Restart=always
RestartSec=2
# Only the service gets SIGTERM, so that it can end its commands in order and say so; the rest is killed when it is gone.
KillMode=mixed
TimeoutStopSec=10
UMask=0077
# No core dump may hold the device's key.
LimitCORE=0
KeyringMode=private
LockPersonality=yes
RestrictRealtime=yes

[Install]
WantedBy=multi-user.target
`;

/** A path as one word of a command line. systemd gives quotes, backslashes, % and $ a meaning of their own: those are refused. */
const word = (path: string): string => {
  if (/^\/[\w@+./-]*$/.test(path)) return path;
  if (/^\/[\w@+./ -]*$/.test(path)) return `"${path}"`;
  throw new Error(
    `${path} cannot be part of a service: the path must be absolute, of letters, digits, spaces and @ + . _ - only. Move the agent or choose another --state.`,
  );
};
