// Icons, as paths of lines on 24 by 24. Each has a text beside it.

export const ICONS = {
  timer_polling: ['M12 7v5l3.500 2', 'M12 3a9 9 0 1 0 .01 0'],
  push_with_safety_net: ['M3 9h15m-5-5 5 5-5 5', 'M4 20c4-3 12-3 16 0M8 18.500V21m8-2.500V21'],
  push_only: ['M3 12h17m-6-6 6 6-6 6'],
  suspended: ['M12 3v2m0 0a9 9 0 0 1 9 8H3a9 9 0 0 1 9-8Zm0 8v6a2 2 0 0 1-4 0'],
  blind: ['M3 12s3-6 9-6 9 6 9 6-3 6-9 6-9-6-9-6Z', 'M4 20 20 4'],
  alarm: ['M12 3 2 21h20L12 3Zm0 7v5m0 3v.01'],
  ok: ['M5 12.500 10 18 19 6.500'],
  open: ['M12 4a8 8 0 1 0 .01 0'],
  trouble: ['M12 3 2 21h20L12 3Zm0 7v5m0 3v.01'],
  card: ['M3 6h18v12H3zM3 10h18'],
  app: ['M4 5h16v14H4zM4 9h16M8 13h8m-8 3h5'],
  reverb: ['M12 12v8m-4 0h8', 'M8.500 9a5 5 0 0 1 7 0M5.500 6a9.500 9.500 0 0 1 13 0'],
  browser: ['M3 5h18v14H3zM3 9h18M6 7h.01m2.500 0h.01'],
  sidecar: ['M12 4v16M5 8h14M5 8l-3 6h6L5 8Zm14 0-3 6h6l-3-6ZM9 20h6'],
};
