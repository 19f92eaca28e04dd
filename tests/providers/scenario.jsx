// What an app does with the published SDKs, unmodified: a test drives it through `window`, and asks what it would do.

import { OFREPWebProvider } from '@openfeature/ofrep-web-provider';
import { OpenFeature, OpenFeatureProvider, useObjectFlagDetails, useStringFlagValue } from '@openfeature/react-sdk';
import { ProviderEvents } from '@openfeature/web-sdk';
import { createRoot } from 'react-dom/client';
import { modeOf } from '../../clients/browser/openfeature.js';

const FLAG = 'payment-refresh';
/** The code's own default is on the safe side. */
const DEFAULT = { mode: 'timer_polling' };

window.reported = [];
for (const event of Object.values(ProviderEvents)) {
  OpenFeature.addHandler(event, (details) => window.reported.push({ event, message: details?.message ?? null }));
}

/** Sets the provider and a context; resolves to why it could not be, or to null. */
window.begin = async ({ baseUrl, context, options }) => {
  await OpenFeature.setContext(context);
  try {
    await OpenFeature.setProviderAndWait(new OFREPWebProvider({ baseUrl, ...options }));
    return null;
  } catch (error) {
    return String(error);
  }
};

window.assign = (context) => OpenFeature.setContext(context);

/** Evaluates both flags. `leased` is what our own client makes of the object; `age_ms` is how old the held value is. */
window.ask = () => {
  const client = OpenFeature.getClient();
  const whole = client.getObjectDetails(FLAG, DEFAULT);
  const plain = client.getStringDetails(`${FLAG}-mode`, DEFAULT.mode);
  const age_ms = Date.now() - (whole.value.issued_at ?? Date.now());
  return { whole, plain, leased: modeOf(whole), status: client.providerStatus, age_ms };
};

/** Watches for so long how old a held push becomes; the oldest counts. */
window.watch = async (span_ms) => {
  const until = Date.now() + span_ms;
  let oldest_ms = 0;
  let pushes = 0;
  while (Date.now() < until) {
    const { whole, age_ms } = window.ask();
    if (whole.value.mode !== DEFAULT.mode) {
      pushes += 1;
      oldest_ms = Math.max(oldest_ms, age_ms);
    }
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  return { oldest_ms, pushes };
};

function Dashboard() {
  const whole = useObjectFlagDetails(FLAG, DEFAULT);
  const plain = useStringFlagValue(`${FLAG}-mode`, DEFAULT.mode);
  return (
    <p id="mode" data-reason={whole.reason} data-plain={plain} data-issued={whole.value.issued_at}>
      {whole.value.mode}
    </p>
  );
}

/** Renders what a dashboard would follow. */
window.render = () => {
  createRoot(document.getElementById('root')).render(
    <OpenFeatureProvider>
      <Dashboard />
    </OpenFeatureProvider>,
  );
};
