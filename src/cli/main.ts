#!/usr/bin/env node
// The `dlmc` executable: runs the command line and leaves with its exit code.

import { main } from "./program.js";

process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  // `dlmc ... | head` closes the pipe early; that is not an error of ours.
  if (error.code === "EPIPE") process.exit(0);
  throw error;
});
process.exitCode = await main(process.argv);
