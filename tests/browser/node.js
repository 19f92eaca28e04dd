// Runs the scenario in Node: its settings are the first argument, as JSON; it reports events on stdout, one JSON per line.

import Echo from 'laravel-echo';
import Pusher from 'pusher-js';
import { watch } from './watch.js';

const settings = JSON.parse(process.argv[2]);
const report = (what, data) => process.stdout.write(`${JSON.stringify({ what, data })}\n`);
watch({ Echo, Pusher, report, ...settings });
process.stdin.on('end', () => process.exit(0)).resume();
