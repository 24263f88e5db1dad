// The parts of prom-client that write text, by themselves: all of it takes 8 MiB, these three 0.3.
declare module 'prom-client/lib/registry.js' {
  import { Registry } from 'prom-client'

  export = Registry
}

declare module 'prom-client/lib/counter.js' {
  import { Counter } from 'prom-client'

  export = Counter
}

declare module 'prom-client/lib/gauge.js' {
  import { Gauge } from 'prom-client'

  export = Gauge
}
