const frames = ['⠋', '⠙', '⠹', '⠸', '⠼', '⠴', '⠦', '⠧', '⠇', '⠏'];

/** Shows that something goes on, on a terminal only, until `work` is settled. `text` must be safe to show. */
export const withSpinner = async <Result>(text: string, work: Promise<Result>): Promise<Result> => {
  const screen = process.stderr;
  if (!screen.isTTY) return work;
  const startedAt = Date.now();
  let frame = 0;
  const draw = () => {
    frame += 1;
    const seconds = Math.floor((Date.now() - startedAt) / 1000);
    screen.write(`\r\x1b[K${frames[frame % frames.length]} ${text} (${seconds} s)`);
  };
  draw();
  const timer = setInterval(draw, 100);
  try {
    return await work;
  } finally {
    clearInterval(timer);
    screen.write('\r\x1b[K');
  }
};
