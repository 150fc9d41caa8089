import { channelPair } from '../../../src/runtime/launchers/memory-channel.ts'
import { describeChannel } from '../../contracts/channel.contract.ts'

describeChannel('memory', () => {
  const [here, there] = channelPair<unknown, unknown>()
  return { here, there, dispose: () => {} }
})
